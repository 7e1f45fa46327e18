/** The process of a host agent; what it does is in agent-program.ts. */
import { runAgentProgram } from './agent-program.ts';

await runAgentProgram(process.argv.slice(2));
