import { type ChildProcess, spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { MachineError } from '../machines.ts';
import { isErrno } from '../store/atomic-file.ts';

/** The file of an exported machine: a tar, compressed with zstd, of `machine.json` and then `disk.raw` with its holes left out. */
const members = ['machine.json', 'disk.raw'];

/** Writes the members from `folder`; the file is there when it is whole. */
export async function packMachine(
  folder: string,
  options: { readonly file: string; readonly signal: AbortSignal },
): Promise<void> {
  const { file, signal } = options;
  const making = join(dirname(file), `.${basename(file)}.${process.pid}.new`);
  // GNU's tar leaves holes out when it is told to, the one of macOS and Windows does so by itself.
  const sparse = process.platform === 'linux' ? ['-S'] : [];
  const tar = spawn('tar', ['-c', ...sparse, '-f', '-', '-C', folder, ...members], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    windowsHide: true,
  });
  try {
    const ended = endOf(tar, 'tar could not pack the machine');
    await Promise.all([
      pipeline(tar.stdout, createZstdCompress(), createWriteStream(making, { mode: 0o600, flush: true }), { signal }),
      ended,
    ]);
    await rename(making, file);
  } catch (error) {
    await rm(making, { force: true });
    if (isErrno(error, 'ENOSPC')) throw new MachineError('no-space', `There is no room for ${file}`, { cause: error });
    if (isErrno(error, 'ENOENT'))
      throw new MachineError('invalid-setting', `${file} cannot be written: its folder is not there`, { cause: error });
    throw error;
  }
}

/** Writes the members into `folder`. The whole file is read, for what checks it comes last. */
export async function unpackMachine(
  file: string,
  options: { readonly folder: string; readonly signal: AbortSignal },
): Promise<void> {
  const { folder, signal } = options;
  const sparse = process.platform === 'linux' ? [] : ['-S'];
  // Only the two members by name, so that no other path of a foreign archive is ever made.
  const tar = spawn('tar', ['-x', ...sparse, '-f', '-', '-C', folder, ...members], {
    stdio: ['pipe', 'ignore', 'pipe'],
    signal,
    windowsHide: true,
  });
  const refused = new AbortController();
  const ended = endOf(tar, `${file} is no exported machine`).catch((error: unknown) => {
    refused.abort();
    throw error;
  });
  const feeding = pipeline(createReadStream(file), createZstdDecompress(), untilItEnds(tar.stdin), {
    signal: AbortSignal.any([signal, refused.signal]),
  });
  const [fed, end] = await Promise.allSettled([feeding, ended]);
  if (fed.status === 'rejected' && isErrno(fed.reason, 'ENOENT'))
    throw new MachineError('invalid-setting', `There is no file ${file}`, { cause: fed.reason });
  signal.throwIfAborted();
  if (end.status === 'rejected') throw end.reason;
  if (fed.status === 'rejected')
    throw new MachineError('image-corrupt', `${file} is no exported machine, or it is damaged`, { cause: fed.reason });
}

/** tar goes at the mark that ends an archive, be there padding after it: what it does not read any more is dropped. */
function untilItEnds(input: Writable): Writable {
  let isClosed = false;
  let goOn = (): void => undefined;
  input.on('error', () => undefined);
  input.once('close', () => {
    isClosed = true;
    goOn();
  });
  /** Of a write that is under way while its reader goes, nobody may be told: then the closing is what tells. */
  const told = (done: () => void): (() => void) => {
    let isTold = false;
    goOn = () => {
      if (!isTold) done();
      isTold = true;
    };
    return goOn;
  };
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => void (isClosed ? done() : input.write(chunk, told(done))),
    final: (done) => void (isClosed ? done() : input.end(told(done))),
    destroy: (error, done) => {
      input.destroy();
      done(error);
    },
  });
}

async function endOf(child: ChildProcess, failed: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new MachineError('image-corrupt', `${failed}: ${said.trim() || `it ended with ${code}`}`);
}
