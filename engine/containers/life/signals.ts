import os from 'node:os';
import { invalid } from '../../model/errors.ts';

const largest = 64;

/** `TERM`, `SIGTERM`, `15`, `RTMIN+3` -> number. Throws `invalid` with Docker's words. */
export function signalNumber(text: string): number {
  if (/^\d{1,3}$/.test(text)) {
    const number = Number(text);
    if (number >= 1 && number <= largest) return number;
    throw invalid(`invalid signal: ${text}`);
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime !== null) {
    const number = (realtime[1] === 'MIN' ? 34 : largest) + Number(`${realtime[2] ?? '+'}${realtime[3] ?? '0'}`);
    if (number >= 34 && number <= largest) return number;
    throw invalid(`invalid signal: ${text}`);
  }
  const number = (os.constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
  if (number === undefined) throw invalid(`invalid signal: ${text}`);
  return number;
}
