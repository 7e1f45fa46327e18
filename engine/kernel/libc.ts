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

/**
 * The C library of this process; loaded at first use, so that importing this file does nothing. It may be as old as Node allows
 * (glibc 2.28), or musl, which takes this name for its own.
 */
export function libc(): LibraryHandle {
  library ??= koffi.load('libc.so.6');
  return library;
}

/**
 * System calls that glibc learned in 2.33 or 2.36 (2022), and musl late or not at all: they are made by number. From 424 on a
 * number is the same on every processor.
 */
export const numbered: Readonly<Record<string, number>> = {
  mknodat: process.arch === 'x64' ? 259 : 33,
  renameat2: process.arch === 'x64' ? 316 : 276,
  pidfd_send_signal: 424,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  pidfd_open: 434,
};

/** `mount` of `int mount(str source, …)`. Without an expression, which an engine that starts would have to compile first. */
function nameIn(prototype: string): string {
  const end = prototype.indexOf('(');
  return prototype.slice(prototype.lastIndexOf(' ', end) + 1, end).replace('*', '');
}

function declared(prototype: string): (...args: readonly unknown[]) => number | bigint {
  const number = numbered[nameIn(prototype)];
  if (number === undefined) return libc().func(prototype) as (...args: readonly unknown[]) => number | bigint;
  const call = libc().func(prototype.replace(/^.*?\(/, 'long syscall(long number, '));
  return (...args) => call(number, ...args) as number | bigint;
}

/** A function that not every C library has; null where this one has none. */
export function optionalFunction(prototype: string): ((...args: readonly unknown[]) => number) | null {
  try {
    return libc().func(prototype) as (...args: readonly unknown[]) => number;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Cannot find function')) return null;
    throw error;
  }
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

/**
 * What a lock of V8 leaves in errno when a collection of garbage comes between a call and the reading of its errno. A call that
 * failed so is made once more: it has done nothing, and says again why, or succeeds now.
 */
const leftByLocks: ReadonlySet<number> = new Set([
  constants.errno.EAGAIN,
  constants.errno.EINTR,
  constants.errno.ETIMEDOUT,
]);

/** The same, but null for the errors that are expected (numbers of `constants.errno`): an exception costs as much as ten calls. */
export function answeredCall<Args extends readonly unknown[]>(
  prototype: string,
  expected: readonly number[],
): (detail: string, ...args: Args) => number | null {
  let call: ((...args: Args) => number | bigint) | null = null;
  return (detail, ...args) => {
    call ??= declared(prototype);
    let result = Number(call(...args));
    if (result !== -1) return result;
    let errno = koffi.errno();
    if (leftByLocks.has(errno)) {
      result = Number(call(...args));
      if (result !== -1) return result;
      errno = koffi.errno();
    }
    if (expected.includes(errno)) return null;
    throw new SystemCallError(nameIn(prototype), errno, detail);
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
  return (detail, ...args) => {
    const slow = (call ??= libc().func(prototype));
    return new Promise((resolve, reject) => {
      slow.async(...args, (error: unknown, result: number | bigint) => {
        if (error !== null) reject(error instanceof Error ? error : new Error(String(error)));
        else if (Number(result) === -1) reject(new Error(`${nameIn(prototype)} ${detail}: refused`));
        else resolve(Number(result));
      });
    });
  };
}

/** Node's map lacks those that libuv never meets, ECHILD for one. */
function nameOfErrno(errno: number): string {
  return Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
}
