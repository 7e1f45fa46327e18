import { constants, openSync, read, readFileSync, write, writeFileSync, writevSync } from 'node:fs';
import { isCode } from '../../kernel/files.ts';
import { mountDevice, unmount } from '../../kernel/mount.ts';
import { EngineError } from '../../model/errors.ts';
import { type FuseRequest, answerHeader, answerInit, opcode, readRequest } from './codec.ts';

/** What the kernel writes at most at once; its messages are that and a page for their header. */
export const mostFuseBytes = 256 * 1024;
const messageBytes = mostFuseBytes + 4096;
/** While one message is being looked at the next can be read. */
const readers = 2;

export interface FuseDeviceOptions {
  /** Existing folder. */
  readonly target: string;
  /** Must call `answer` or `refuse` once for each request that wants an answer. */
  readonly onRequest: (request: FuseRequest) => void;
  /** The kernel has let go of it: nobody holds the mount any more. */
  readonly onEnd: () => void;
}

/** The kernel's usual 128 kB are two requests: far too few for a line on which each takes a while. */
const readAheadKilobytes = 4096;

/** By its device number, which /proc knows without asking the file system, that could not answer yet. */
function readAheadOf(target: string): void {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((text) => text.split(' ')[4] === target);
  const device = line?.split(' ')[2];
  try {
    if (device !== undefined) writeFileSync(`/sys/class/bdi/${device}/read_ahead_kb`, String(readAheadKilobytes));
  } catch (error) {
    // Where /sys is read-only it stays slower.
    if (!isCode(error, 'EROFS', 'EACCES', 'ENOENT')) throw error;
  }
}

const noSuid = 2;
const noDevices = 4;

/** One mounted file system in user space: the connection to the kernel through /dev/fuse. It ends with the process that holds it. */
export class FuseDevice {
  readonly #fd: number;
  readonly #options: FuseDeviceOptions;

  private constructor(fd: number, options: FuseDeviceOptions) {
    this.#fd = fd;
    this.#options = options;
  }

  /** Throws `unavailable` where the kernel has no FUSE. */
  static mount(options: FuseDeviceOptions): FuseDevice {
    let fd: number;
    try {
      fd = openSync('/dev/fuse', constants.O_RDWR);
    } catch (error) {
      if (!isCode(error, 'ENOENT', 'ENODEV', 'ENXIO')) throw error;
      throw new EngineError('unavailable', 'the kernel of the machine has no FUSE: load its module (modprobe fuse)', {
        cause: error,
      });
    }
    mountDevice({
      source: 'skiff',
      target: options.target,
      type: 'fuse.skiff',
      flags: noSuid | noDevices,
      data: `fd=${fd},rootmode=40000,user_id=0,group_id=0,allow_other`,
    });
    readAheadOf(options.target);
    const device = new FuseDevice(fd, options);
    for (let reader = 0; reader < readers; reader++) device.#read(Buffer.allocUnsafeSlow(messageBytes));
    return device;
  }

  answer(request: FuseRequest, body: Buffer | null = null): void {
    const header = answerHeader(request.unique, { bodyBytes: body?.length ?? 0 });
    this.#send(body === null ? [header] : [header, body]);
  }

  refuse(request: FuseRequest, errno: number): void {
    this.#send([answerHeader(request.unique, { errno })]);
  }

  /**
   * Resolves when the kernel has taken note. On another thread: it may have to wait for a request that this one has yet to answer.
   */
  notify(message: Buffer): Promise<void> {
    return new Promise((resolve) => {
      // ENOENT: the kernel knows nothing of it, which is as good.
      write(this.#fd, message, 0, message.length, null, () => resolve());
    });
  }

  /** Takes it out of the tree; containers that have it bound keep it until they end. */
  detach(): void {
    try {
      unmount(this.#options.target, { isDetached: true });
    } catch (error) {
      if (!isCode(error, 'EINVAL', 'ENOENT')) throw error; // somebody else took it away
    }
  }

  #send(parts: readonly Buffer[]): void {
    try {
      writevSync(this.#fd, parts);
    } catch (error) {
      // ENOENT: whoever asked was killed meanwhile. ENODEV: all are gone.
      if (!isCode(error, 'ENOENT', 'ENODEV')) throw error;
    }
  }

  #read(into: Buffer): void {
    read(this.#fd, into, 0, into.length, null, (error, length) => {
      if (error !== null && isCode(error, 'ENODEV')) return this.#options.onEnd();
      // Others (ENOENT, EINTR) are about one request that was taken back.
      if (error === null) this.#take(readRequest(Buffer.from(into.subarray(0, length))));
      this.#read(into);
    });
  }

  #take(request: FuseRequest): void {
    if (request.opcode !== opcode.init) return this.#options.onRequest(request);
    const answer = answerInit(request.body, { dataBytes: mostFuseBytes });
    if (answer === null) this.refuse(request, 71 /* EPROTO */);
    else this.answer(request, answer);
  }
}
