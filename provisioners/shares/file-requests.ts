import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  readSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import type { StatsFs } from 'node:fs';
import { readChange, writeAttributes } from '../../api/shares/attributes.ts';
import type { FileAttributes } from '../../api/shares/attributes.ts';
import type { PacketReader } from '../../api/shares/packets.ts';
import { PacketWriter, extension, mostDataBytes, openFlag, packetType, statusCode } from '../../api/shares/packets.ts';
import { attributesOf, changeAt, changeOpen, codeOf, coded, makeFolder, openFor, statsAt } from './file-work.ts';
import type { SafeTree } from './safe-tree.ts';

/** A folder as it is offered to a machine. */
export interface OfferedFolder {
  readonly tree: SafeTree;
  readonly isReadOnly: boolean;
}

export interface FileRequestsOptions {
  /** Asked at each request: what is shared can change while a session goes on. */
  readonly folder: (id: string) => OfferedFolder | undefined;
  /** Paths that changes are wanted of, in the place of those before. */
  readonly onWatch: (paths: readonly string[]) => void;
  /** Something was changed for the machine. */
  readonly onTouched: (path: string) => void;
}

interface OpenHandle {
  readonly fd: number;
  readonly path: string;
  readonly isWritable: boolean;
}

interface Place {
  readonly tree: SafeTree;
  /** Within the tree. */
  readonly path: string;
}

/** More would take descriptors that this process needs for its connections. */
const mostHandles = 4096;
const namesPerPacket = 500;

/**
 * What a machine asks about files, each request answered at once: system calls on files that are in memory cost less than handing them to
 * another thread would. Owners are never touched: here everything is the user's, in the machine it is whose the machine says.
 */
export class FileRequests implements Disposable {
  readonly #options: FileRequestsOptions;
  readonly #handles = new Map<number, OpenHandle>();
  #lastHandle = 0;

  constructor(options: FileRequestsOptions) {
    this.#options = options;
  }

  /** The packets to send. Throws RangeError for a request that is damaged; what fails otherwise is an answer too. */
  answer(type: number, id: number, request: PacketReader): readonly Buffer[] {
    try {
      return this.#answer(type, id, request);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      return [failure(id, codeOf(error))];
    }
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#handles.values()) closeSync(fd);
    this.#handles.clear();
  }

  #answer(type: number, id: number, request: PacketReader): readonly Buffer[] {
    switch (type) {
      case packetType.lstat:
        return [attributes(id, this.#find(request.text(), statsAt))];
      case packetType.open:
        return [this.#open(id, request)];
      case packetType.close:
        return [this.#close(id, request)];
      case packetType.read:
        return this.#read(id, request);
      case packetType.write:
        return [this.#write(id, request)];
      case packetType.setstat:
        this.#change(request.text(), (path) => changeAt(path, readChange(request)));
        return [done(id)];
      case packetType.fsetstat:
        changeOpen(this.#writable(request.text()).fd, readChange(request));
        return [done(id)];
      case packetType.remove:
        this.#change(request.text(), unlinkSync);
        return [done(id)];
      case packetType.mkdir: {
        const path = request.text();
        this.#change(path, (at) => makeFolder(at, readChange(request).permissions ?? 0o777));
        return [attributes(id, this.#find(path, statsAt))];
      }
      case packetType.rmdir:
        this.#change(request.text(), rmdirSync);
        return [done(id)];
      case packetType.readlink: {
        const target = this.#find(request.text(), (path) => readlinkSync(path, 'buffer'));
        return [new PacketWriter(packetType.name).u32(id).u32(1).text(target.toString('latin1')).bytes()];
      }
      case packetType.symlink: {
        // The order of OpenSSH, not of the draft: what it leads to, then where it is made.
        const target = Buffer.from(request.text(), 'latin1');
        const path = request.text();
        this.#change(path, (at) => symlinkSync(target, at));
        return [attributes(id, this.#find(path, statsAt))];
      }
      case packetType.extended:
        return this.#extended(id, request);
      default:
        return [failure(id, 'ENOSYS')];
    }
  }

  #extended(id: number, request: PacketReader): readonly Buffer[] {
    switch (request.text()) {
      case extension.list:
        return this.#list(id, request.text());
      case extension.rename:
        this.#moveTo(request.text(), request.text());
        return [done(id)];
      case extension.link: {
        const [from, to] = [request.text(), request.text()];
        this.#linkTo(from, to);
        return [attributes(id, this.#find(to, statsAt))];
      }
      case extension.fsync:
        fsyncSync(this.#handle(request.text()).fd);
        return [done(id)];
      case extension.statvfs:
        return [
          freeSpace(
            id,
            this.#find(request.text(), (path) => statfsSync(path)),
          ),
        ];
      case extension.watch: {
        const paths: string[] = [];
        for (let left = request.u32(); left > 0; left--) paths.push(request.text());
        this.#options.onWatch(paths);
        return [done(id)];
      }
      default:
        return [failure(id, 'ENOSYS')];
    }
  }

  #open(id: number, request: PacketReader): Buffer {
    const path = request.text();
    const asked = request.u32();
    const { permissions = 0o666 } = readChange(request);
    if (this.#handles.size >= mostHandles) throw coded('ENFILE');
    const isWritable = (asked & openFlag.write) !== 0;
    const open = (at: Buffer): OpenHandle => ({
      fd: openFor(at, asked, permissions),
      path,
      isWritable,
    });
    const handle = isWritable ? this.#change(path, open) : this.#find(path, open);
    this.#lastHandle += 1;
    this.#handles.set(this.#lastHandle, handle);
    // The attributes come along: whoever opens a file wants to know whether it is still the one that it knows.
    return writeAttributes(
      new PacketWriter(packetType.handle).u32(id).text(String(this.#lastHandle)),
      attributesOf(fstatSync(handle.fd)),
    ).bytes();
  }

  #close(id: number, request: PacketReader): Buffer {
    const name = request.text();
    const { fd, path, isWritable } = this.#handle(name);
    this.#handles.delete(Number(name));
    closeSync(fd);
    if (isWritable) this.#options.onTouched(path);
    return done(id);
  }

  #read(id: number, request: PacketReader): readonly Buffer[] {
    const { fd } = this.#handle(request.text());
    const [at, length] = [request.u64(), Math.min(request.u32(), mostDataBytes)];
    const bytes = Buffer.allocUnsafe(length);
    const read = readSync(fd, bytes, 0, length, at);
    if (read === 0) return [status(id, statusCode.endOfFile, '')];
    // The data itself is not copied once more.
    const head = new PacketWriter(packetType.data, 12).u32(id).u32(read).bytes(read);
    return [head, bytes.subarray(0, read)];
  }

  #write(id: number, request: PacketReader): Buffer {
    const { fd, path } = this.#writable(request.text());
    this.#options.onTouched(path);
    let at = request.u64();
    let bytes = request.data();
    while (bytes.length > 0) {
      const written = writeSync(fd, bytes, 0, bytes.length, at);
      at += written;
      bytes = bytes.subarray(written);
    }
    return done(id);
  }

  #list(id: number, path: string): readonly Buffer[] {
    const { tree, path: folder } = this.#place(path);
    const names = tree
      .at(folder, (at) => readdirSync(at, { encoding: 'buffer' }))
      .map((name) => name.toString('latin1'));
    const found = names.flatMap((name): [string, FileAttributes][] => {
      try {
        return [[name, tree.at(`${folder}/${name}`, statsAt)]];
      } catch (error) {
        // It went away since the folder was read, or may not be looked at.
        if (['ENOENT', 'EACCES', 'EPERM'].includes(codeOf(error))) return [];
        throw error;
      }
    });
    const packets: Buffer[] = [];
    for (let at = 0; at < found.length; at += namesPerPacket) {
      const part = found.slice(at, at + namesPerPacket);
      const packet = new PacketWriter(packetType.name, 120 * part.length).u32(id).u32(part.length);
      for (const [name, file] of part) writeAttributes(packet.text(name), file);
      packets.push(packet.bytes());
    }
    return [...packets, status(id, statusCode.endOfFile, '')];
  }

  #moveTo(from: string, to: string): void {
    const [source, target] = [this.#writablePlace(from), this.#writablePlace(to)];
    if (source.tree !== target.tree) throw coded('EXDEV');
    source.tree.at(source.path, (old) => target.tree.at(target.path, (next) => renameSync(old, next)));
    source.tree.forget();
  }

  #linkTo(from: string, to: string): void {
    const [source, target] = [this.#writablePlace(from), this.#writablePlace(to)];
    if (source.tree !== target.tree) throw coded('EXDEV');
    source.tree.at(source.path, (old) => {
      // Some systems link what a link leads to.
      if (lstatSync(old).isSymbolicLink()) throw coded('EPERM');
      target.tree.at(target.path, (next) => linkSync(old, next));
    });
  }

  #find<T>(path: string, use: (safePath: Buffer) => T): T {
    const place = this.#place(path);
    return place.tree.at(place.path, use);
  }

  #change<T>(path: string, use: (safePath: Buffer) => T): T {
    const place = this.#writablePlace(path);
    return place.tree.at(place.path, use);
  }

  #place(path: string): Place {
    return placeIn(this.#offered(path), path);
  }

  #writablePlace(path: string): Place {
    const offered = this.#offered(path);
    if (offered.isReadOnly) throw coded('EROFS');
    this.#options.onTouched(path);
    return placeIn(offered, path);
  }

  #offered(path: string): OfferedFolder {
    const [, id = ''] = path.split('/', 2);
    const offered = this.#options.folder(id);
    if (offered === undefined) throw coded('ENOENT');
    return offered;
  }

  #handle(name: string): OpenHandle {
    const handle = this.#handles.get(Number(name));
    if (handle === undefined) throw coded('EBADF');
    return handle;
  }

  #writable(name: string): OpenHandle {
    const handle = this.#handle(name);
    if (!handle.isWritable) throw coded('EBADF');
    return handle;
  }
}

function placeIn({ tree }: OfferedFolder, path: string): Place {
  return { tree, path: path.slice(1).replace(/^[^/]*\/?/, '') };
}

function attributes(id: number, file: FileAttributes): Buffer {
  return writeAttributes(new PacketWriter(packetType.attrs, 120).u32(id), file).bytes();
}

function freeSpace(id: number, space: StatsFs): Buffer {
  const { bsize, blocks, bfree, bavail, files, ffree } = space;
  const packet = new PacketWriter(packetType.extendedReply).u32(id);
  for (const value of [bsize, bsize, blocks, bfree, bavail, files, ffree, ffree, 0, 0, 255]) packet.u64(value);
  return packet.bytes();
}

function done(id: number): Buffer {
  return status(id, statusCode.ok, '');
}

/** The name of the error is the message: SFTP has few codes, and a file system needs the right one. */
function failure(id: number, code: string): Buffer {
  return status(id, statusCode.failure, code);
}

function status(id: number, code: number, words: string): Buffer {
  return new PacketWriter(packetType.status, 48).u32(id).u32(code).text(words).text('').bytes();
}
