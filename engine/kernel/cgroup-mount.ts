import { systemCall } from './libc.ts';

const mount = systemCall<[string, string, string, number, string]>(
  'int mount(str source, str target, str type, ulong flags, str data)',
);
const noSuid = 2;
const noDev = 4;
const noExec = 8;

/** Mounts a file system that has no device, without programs, devices or setuid on it. */
export function mountFileSystem(of: {
  readonly type: string;
  readonly target: string;
  /** What the mount table shows as its source; the type when absent. */
  readonly source?: string;
  readonly options: string;
}): void {
  mount(`${of.type} on ${of.target}`, of.source ?? of.type, of.target, of.type, noSuid | noDev | noExec, of.options);
}
