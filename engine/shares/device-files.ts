/**
 * The contents of a share's files by a device of the machine (virtio-fs), where its driver has given it one: no line, no encryption, no second
 * program. Whatever else is asked of a file (its name, its owner, whether it may be had at all) goes to the user's computer as ever, so
 * a device may come and go while files are open. It is mounted where nobody but this program can get at it.
 */
import { close, constants, fstat, mkdirSync, openSync, closeSync, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { isCode, openPlainAside } from '../kernel/files.ts';
import { mountDevice, unmount } from '../kernel/mount.ts';

const closeLater = promisify(close);
const statLater = promisify(fstat);

/** A hypervisor that answers takes milliseconds, but on a disk that has to spin up. */
const answerMs = 20_000;
const noSuid = 2;
const noDevices = 4;
const noExec = 8;
const pathOnly = 0x20_0000;

/** The device is gone; nothing was done. */
export class DeviceLost extends Error {
  override readonly name = 'DeviceLost';
}

/** It does not answer: nobody knows what came of what was asked. */
export class DeviceSilent extends DeviceLost {}

export interface ShareDeviceOptions {
  /** Where it is mounted. */
  readonly target: string;
  readonly report: (message: string) => void;
}

export class ShareDevice implements Disposable {
  readonly #options: ShareDeviceOptions;
  readonly #root: number;
  #state: 'open' | 'lost' = 'open';

  /** `target` is mounted already; `mountShareDevice` does it. */
  constructor(options: ShareDeviceOptions) {
    this.#options = options;
    this.#root = openSync(options.target, constants.O_DIRECTORY | constants.O_NOFOLLOW | pathOnly);
  }

  get isAlive(): boolean {
    return this.#state === 'open';
  }

  /** `path` within the share (latin1). Null unless it is there, and that very file: an `inode` of the user's computer. */
  async open(path: string, inode: number): Promise<DeviceFile | null> {
    const name = Buffer.from(path, 'latin1');
    for (const access of [constants.O_RDWR, constants.O_RDONLY]) {
      // What is in memory is kept above; kept here once more it would only grow old.
      const flags = access | constants.O_DIRECT | constants.O_NONBLOCK;
      const fd = await this.#bounded(openPlainAside(this.#root, name, flags)).catch(() => null);
      if (!this.isAlive) return null;
      if (fd === null) continue;
      const stats = await this.#bounded(statLater(fd)).catch(() => null);
      if (stats?.isFile() === true && stats.ino === inode)
        return new DeviceFile(fd, { isWritable: access === constants.O_RDWR, bounded: (work) => this.#bounded(work) });
      if (this.isAlive) await closeLater(fd);
      return null;
    }
    // Of a call on another thread nobody learns why it was refused.
    await this.#bounded(statLater(this.#root)).catch(() => undefined);
    return null;
  }

  /** Files that are open go on until they are closed. */
  [Symbol.dispose](): void {
    this.#state = 'lost';
    closeSync(this.#root);
    detachAt(this.#options.target);
  }

  /** Throws DeviceLost and DeviceSilent: it is not asked again then. */
  async #bounded<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(this.#lose(new DeviceSilent(), `does not answer within ${answerMs} ms`)),
        answerMs,
      );
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      throw isCode(error, 'ENOTCONN', 'ECONNABORTED', 'ENODEV') ? this.#lose(new DeviceLost(), 'is gone') : error;
    } finally {
      clearTimeout(timer);
    }
  }

  #lose(error: Error, what: string): Error {
    if (this.#state === 'open')
      this.#options.report(`the device of a shared folder ${what}: its files come over the connection from now on`);
    this.#state = 'lost';
    return error;
  }
}

/** One file that is open by its device. */
export class DeviceFile {
  readonly isWritable: boolean;
  readonly #fd: number;
  readonly #bounded: <T>(work: Promise<T>) => Promise<T>;
  #underWay = 0;

  constructor(fd: number, of: { readonly isWritable: boolean; readonly bounded: <T>(work: Promise<T>) => Promise<T> }) {
    this.#fd = fd;
    this.isWritable = of.isWritable;
    this.#bounded = of.bounded;
  }

  /** Less than `length` at the end alone. */
  async read(at: number, length: number): Promise<Buffer> {
    const into = Buffer.allocUnsafeSlow(length);
    let had = 0;
    while (had < length) {
      const from = had;
      const count = await this.#work((done) => read(this.#fd, into, from, length - from, at + from, done));
      if (count === 0) break;
      had += count;
    }
    return into.subarray(0, had);
  }

  async write(at: number, bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      const from = done;
      done += await this.#work((after) => write(this.#fd, bytes, from, bytes.length - from, at + from, after));
    }
  }

  /** With a request that was never answered its descriptor stays: its number must not become another file's. */
  close(): void {
    if (this.#underWay === 0) void closeLater(this.#fd);
  }

  async #work(start: (done: (error: Error | null, count: number) => void) => void): Promise<number> {
    this.#underWay += 1;
    return await this.#bounded(
      new Promise<number>((resolve, reject) => {
        start((error, count) => {
          this.#underWay -= 1;
          if (error === null) resolve(count);
          else reject(error);
        });
      }),
    );
  }
}

/** Null where the machine has no such device, or its kernel no virtio-fs. */
export function mountShareDevice(tag: string, options: ShareDeviceOptions): ShareDevice | null {
  const { target } = options;
  mkdirSync(target, { recursive: true, mode: 0o700 });
  try {
    mountDevice({ source: tag, target, type: 'virtiofs', flags: noSuid | noDevices | noExec, data: '' });
  } catch (error) {
    if (isCode(error, 'EINVAL', 'ENODEV', 'ENOENT')) return null;
    throw error;
  }
  return new ShareDevice(options);
}

/** Whatever is mounted there, also by a program that was killed. */
export function detachAt(target: string): void {
  try {
    for (;;) unmount(target, { isDetached: true });
  } catch (error) {
    if (!isCode(error, 'EINVAL', 'ENOENT')) throw error; // nothing is mounted there any more
  }
}
