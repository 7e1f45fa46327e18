/** A user of testcontainers that never tidies up: says what it has made, and stays until it is killed. */
import { GenericContainer, Network } from 'testcontainers';

const network = await new Network().start();
const container = await new GenericContainer('hello').withCommand(['sleep', '600']).withNetwork(network).start();
process.stdout.write(`made ${container.getId()} ${network.getId()}\n`);
setInterval(() => undefined, 60_000);
