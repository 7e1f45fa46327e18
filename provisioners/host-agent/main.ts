/** The process of a host agent; what it does is in agent-program.ts. */
import { runAgentProgram } from './agent-program.ts';

// Not awaited: a bundle for CommonJS knows no top-level await.
void runAgentProgram(process.argv.slice(2));
