import { engineClientSuite } from '../../client/engine-client.suite.ts';
import { describeWith } from '../skip.ts';
import { startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'the client', () => {
  engineClientSuite('and the real engine', async () => {
    const engine = await startEngine();
    return { path: engine.socket, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
  });
});
