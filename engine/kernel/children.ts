/**
 * Child processes without Node's own spawn. That one forks, which stops the event loop longer the larger the heap is, and
 * it gives children socket pairs instead of pipes. posix_spawn shares memory with the child until its exec and takes
 * a tenth of a millisecond whatever the heap.
 *
 * A process that owns `Children` must not use node:child_process: both would reap.
 */
import { readdirSync } from 'node:fs';
import { getSystemErrorMap } from 'node:util';
import { libc, optionalFunction, systemCall } from './libc.ts';

export interface ExitStatus {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: number | null;
}

export interface SpawnRequest {
  /** Absolute path. */
  readonly program: string;
  /** With the program's name as the first. */
  readonly args: readonly string[];
  /** `KEY=value` */
  readonly env: readonly string[];
  /** What becomes its 0, 1 and 2; it inherits nothing else. */
  readonly stdio: readonly [stdin: number, stdout: number, stderr: number];
}

const prctl = systemCall<[number, number, number, number, number]>(
  'int prctl(int option, ulong a, ulong b, ulong c, ulong d)',
);
const waitpid = systemCall<[number, Int32Array, number]>('int waitpid(int pid, void *status, int options)');

const setChildSubreaper = 36;
const noHang = 1;
const signalPipe = 13;
const signalFileSize = 25;
const setSignalDefaults = 4;
const setSignalMask = 8;
/** Larger than the C library's own structures on all its platforms (336, 80 and 128 bytes on x86-64). */
const opaqueBytes = 1024;

type NativeCall = (...args: readonly unknown[]) => number;

function native(prototype: string): NativeCall {
  return libc().func(prototype) as NativeCall;
}

/** Starts a program; signal mask and dispositions are the default ones. Throws when it cannot be executed. */
class Spawner {
  readonly #spawn = native('int posix_spawn(void *pid, str path, void *actions, void *attr, str *args, str *env)');
  readonly #initActions = native('int posix_spawn_file_actions_init(void *actions)');
  readonly #freeActions = native('int posix_spawn_file_actions_destroy(void *actions)');
  readonly #addDup2 = native('int posix_spawn_file_actions_adddup2(void *actions, int fd, int target)');
  readonly #addClose = native('int posix_spawn_file_actions_addclose(void *actions, int fd)');
  /** Since glibc 2.34; musl has none. */
  readonly #addCloseFrom = optionalFunction('int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)');
  readonly #attributes = Buffer.alloc(opaqueBytes);

  constructor() {
    const signals = Buffer.alloc(opaqueBytes);
    native('int posix_spawnattr_init(void *attr)')(this.#attributes);
    native('int sigemptyset(void *set)')(signals);
    native('int posix_spawnattr_setsigmask(void *attr, void *set)')(this.#attributes, signals);
    // Node ignores these two, and what is ignored stays so across exec: `yes | head` in a container would never end.
    const add = native('int sigaddset(void *set, int signal)');
    add(signals, signalPipe);
    add(signals, signalFileSize);
    native('int posix_spawnattr_setsigdefault(void *attr, void *set)')(this.#attributes, signals);
    native('int posix_spawnattr_setflags(void *attr, short flags)')(
      this.#attributes,
      setSignalDefaults | setSignalMask,
    );
  }

  spawn(request: SpawnRequest): number {
    const pid = new Int32Array(64);
    const actions = Buffer.alloc(opaqueBytes);
    this.#initActions(actions);
    try {
      request.stdio.forEach((fd, target) => this.#addDup2(actions, fd, target));
      this.#closeFrom(actions, request.stdio.length);
      const args = [...request.args, null];
      const env = [...request.env, null];
      const failure = this.#spawn(pid, request.program, actions, this.#attributes, args, env);
      if (failure !== 0) {
        const [code, text] = getSystemErrorMap().get(-failure) ?? [`errno ${failure}`, 'unknown error'];
        throw Object.assign(new Error(`cannot run ${request.program}: ${text}`), { code });
      }
      return pid[0] ?? -1;
    } finally {
      this.#freeActions(actions);
    }
  }

  #closeFrom(actions: Buffer, from: number): void {
    if (this.#addCloseFrom !== null) {
      this.#addCloseFrom(actions, from);
      return;
    }
    // Closing one that is closed by then is no error.
    for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd >= from) this.#addClose(actions, fd);
  }
}

/**
 * All children of this process, and those that become its children because their parents ended (it is made a subreaper):
 * how a container, whose parent crun has ended, is waited for.
 */
export class Children implements Disposable {
  readonly #spawner = new Spawner();
  readonly #awaited = new Map<number, (status: ExitStatus) => void>();
  readonly #status = new Int32Array(64);
  #holds = 0;
  readonly #onSignal = (): void => this.#sweep();

  constructor() {
    prctl('PR_SET_CHILD_SUBREAPER', setChildSubreaper, 1, 0, 0, 0);
    process.on('SIGCHLD', this.#onSignal);
  }

  /** The promise never rejects. Throws when the program cannot be executed. */
  spawn(request: SpawnRequest): { readonly pid: number; readonly ended: Promise<ExitStatus> } {
    const pid = this.#spawner.spawn(request);
    return { pid, ended: this.awaitEnd(pid) };
  }

  /** The end of a process that is, or is about to become, our child. */
  awaitEnd(pid: number): Promise<ExitStatus> {
    return new Promise((resolve) => {
      this.#awaited.set(pid, resolve);
      this.#reap(pid);
    });
  }

  /**
   * While this is held, children that nobody awaits are left unreaped. Whoever starts a program that leaves a process behind
   * holds it until it awaits that process: it may have ended before its pid was known.
   */
  holdStrangers(): Disposable {
    this.#holds += 1;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#holds -= 1;
        this.#sweep();
      },
    };
  }

  [Symbol.dispose](): void {
    process.off('SIGCHLD', this.#onSignal);
  }

  #sweep(): void {
    if (this.#holds > 0) {
      for (const pid of [...this.#awaited.keys()]) this.#reap(pid);
      return;
    }
    while (this.#reap(-1));
  }

  /** True when a child was reaped. */
  #reap(pid: number): boolean {
    let reaped: number;
    try {
      reaped = waitpid(String(pid), pid, this.#status, noHang);
    } catch (error) {
      // Not our child yet: its end will be signalled once it is. No children at all: nothing to do.
      if ((error as NodeJS.ErrnoException).code === 'ECHILD') return false;
      throw error;
    }
    if (reaped <= 0) return false;
    const resolve = this.#awaited.get(reaped);
    this.#awaited.delete(reaped);
    resolve?.(decode(this.#status[0] ?? 0));
    return true;
  }
}

function decode(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal };
}
