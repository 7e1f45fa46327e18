import { EngineClient } from '../../client/engine-client.ts';
import { unixSocketDialer } from '../../client/dial.ts';
import type { MachineName } from '../store/machine-name.ts';
import type { MachineStore } from '../store/machine-store.ts';
import { readAgent } from './agent-state.ts';
import type { PortOfComputer } from './port-owner.ts';

const answerMs = 2_000;

/** The container of another machine that has a port of this computer, in words; null when no other machine's host agent has it. */
export async function neighbourWithPort(
  store: Pick<MachineStore, 'names' | 'machine'>,
  of: PortOfComputer & { readonly besides: MachineName },
): Promise<string | null> {
  for (const name of await store.names()) {
    if (name === of.besides) continue;
    const paths = store.machine(name);
    const agent = await readAgent(paths);
    const forward = agent?.state.forwards.find(
      ({ protocol, hostPort, state }) => protocol === of.protocol && hostPort === of.port && state === 'open',
    );
    if (forward === undefined) continue;
    return `container ${await containerName(paths.dockerSocket, forward.containerId)} of machine ${name}`;
  }
  return null;
}

async function containerName(dockerSocket: string, id: string): Promise<string> {
  using engine = new EngineClient(unixSocketDialer(dockerSocket), { timeoutMs: answerMs });
  try {
    const { Name } = await engine.containers.inspect(id);
    return Name.replace(/^\//, '');
  } catch {
    // It has ended meanwhile, or its machine does not answer: the id says enough.
    return id.slice(0, 12);
  }
}
