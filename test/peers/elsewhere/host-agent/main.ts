/** The host agent of a machine on a computer of another kind: `main.ts COMPUTER --home HOME --machine NAME`. */
import { runAgentProgram } from '../../../../provisioners/host-agent/agent-program.ts';
import { parseElsewhere } from '../computer.ts';

const [text = '', ...words] = process.argv.slice(2);
void runAgentProgram(words, { ...parseElsewhere(text).computer, environment: process.env });
