/**
 * System calls that Node does not have, made through libc with koffi. A call takes about a quarter of a microsecond above
 * the kernel's own time and starts no process, which is why mounts and networks are made here and not by tools. Calls
 * are synchronous: only those that the kernel answers at once may be made on the main thread; for others there is `slowSystemCall`.
 */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import koffi, { type LibraryHandle } from 'koffi';

export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly code: string;
  readonly syscall: string;

  constructor(syscall: string, errno: number, detail: string) {
    errorNames ??= getSystemErrorMap();
    const [code, text] = errorNames.get(-errno) ?? [nameOfErrno(errno), 'system error'];
    super(`${syscall}${detail === '' ? '' : ` ${detail}`}: ${text} (${code})`);
    this.code = code;
    this.syscall = syscall;
  }
}

let library: LibraryHandle | null = null;
/** Node makes it anew each time. */
let errorNames: ReturnType<typeof getSystemErrorMap> | null = null;

/** The C library of this process; loaded at first use, so that importing this file does nothing. */
export function libc(): LibraryHandle {
  library ??= koffi.load('libc.so.6');
  return library;
}

/**
 * Declares a C function that returns -1 and sets errno when it fails. The returned function throws SystemCallError then;
 * its first argument, `detail`, goes into the message (a path, an id).
 */
export function systemCall<Args extends readonly unknown[]>(
  prototype: string,
): (detail: string, ...args: Args) => number {
  const call = answeredCall<Args>(prototype, []);
  return (detail, ...args) => Number(call(detail, ...args));
}

/** The same, but null for the errors that are expected (numbers of `constants.errno`): an exception costs as much as ten calls. */
export function answeredCall<Args extends readonly unknown[]>(
  prototype: string,
  expected: readonly number[],
): (detail: string, ...args: Args) => number | null {
  let call: ((...args: Args) => number | bigint) | null = null;
  const name = /(\w+)\s*\(/.exec(prototype)?.[1] ?? prototype;
  return (detail, ...args) => {
    call ??= libc().func(prototype) as (...args: Args) => number | bigint;
    const result = Number(call(...args));
    if (result !== -1) return result;
    const errno = koffi.errno();
    if (expected.includes(errno)) return null;
    throw new SystemCallError(name, errno, detail);
  };
}

/**
 * The same for what the kernel takes its time over: made on a thread of the pool, where errno cannot be read. Memory that is
 * passed must stay as it is until the promise is settled.
 */
export function slowSystemCall<Args extends readonly unknown[]>(
  prototype: string,
): (detail: string, ...args: Args) => Promise<number> {
  let call: ReturnType<LibraryHandle['func']> | null = null;
  const name = /(\w+)\s*\(/.exec(prototype)?.[1] ?? prototype;
  return (detail, ...args) => {
    const slow = (call ??= libc().func(prototype));
    return new Promise((resolve, reject) => {
      slow.async(...args, (error: unknown, result: number | bigint) => {
        if (error !== null) reject(error instanceof Error ? error : new Error(String(error)));
        else if (Number(result) === -1) reject(new Error(`${name} ${detail}: refused`));
        else resolve(Number(result));
      });
    });
  };
}

/** Node's map lacks those that libuv never meets, ECHILD for one. */
function nameOfErrno(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
