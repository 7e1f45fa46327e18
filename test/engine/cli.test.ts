import { cliSuite } from '../../cli/cli.suite.ts';
import { describeWith } from '../skip.ts';
import { startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'skiff', () => {
  cliSuite('and the real engine', async () => {
    const engine = await startEngine();
    return { path: engine.socket, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
  });
});
