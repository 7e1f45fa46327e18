import { MachineError } from '../machines.ts';

declare const brand: unique symbol;

/** A checked machine name: safe as a file name on every system, as a host name's label and in a shell. */
export type MachineName = string & { readonly [brand]: 'MachineName' };

/** `[a-zA-Z0-9][a-zA-Z0-9.-]*`, at most 63 characters (the length of a DNS label); `invalid-name` says what is wrong with it. */
export function parseMachineName(text: string): MachineName {
  const wrong = whatIsWrong(text);
  if (wrong !== null) throw new MachineError('invalid-name', `${shown(text)} cannot name a machine: ${wrong}`);
  return text as MachineName;
}

/** A snapshot's name has the rules of a machine's: it becomes a file's. */
export function parseSnapshotName(text: string): string {
  const wrong = whatIsWrong(text);
  if (wrong !== null) throw new MachineError('invalid-name', `${shown(text)} cannot name a snapshot: ${wrong}`);
  return text;
}

export function isMachineName(text: string): text is MachineName {
  return whatIsWrong(text) === null;
}

/** A message stays one that can be read, whatever was given. */
function shown(text: string): string {
  return `"${text.length <= 70 ? text : `${text.slice(0, 30)}…`}"`;
}

function whatIsWrong(text: string): string | null {
  if (text === '') return 'the name is empty';
  if (text.length > 63) return `it has ${text.length} characters, at most 63 are allowed`;
  if (!/^[a-zA-Z0-9]/.test(text)) return 'it must begin with a letter or a digit';
  if (!/^[a-zA-Z0-9.-]*$/.test(text)) return 'only letters, digits, "." and "-" are allowed';
  // Windows drops a dot at the end of a file name, so "a." and "a" would share a folder.
  if (text.endsWith('.')) return 'it must not end with a dot';
  if (/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(text)) return 'Windows keeps that name for itself';
  return null;
}
