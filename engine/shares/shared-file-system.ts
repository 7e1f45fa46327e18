import { constants } from 'node:os';
import type { FileAttributes } from '../../api/shares/attributes.ts';
import { openFlag } from '../../api/shares/packets.ts';
import type { Announcements } from './announcements.ts';
import type { ShareDevice } from './device-files.ts';
import * as fuse from './fuse/codec.ts';
import type { FuseRequest, KernelAttributes } from './fuse/codec.ts';
import type { FuseDevice } from './fuse/device.ts';
import { FileError, type HostFiles, type OpenedFile } from './host-files.ts';
import { Listings } from './listings.ts';
import { type Node, Nodes } from './nodes.ts';
import { type OpenFile, OpenFiles, isUnchanged } from './open-files.ts';
import type { Owners } from './owners.ts';

const { errno } = constants;

/** How long the kernel believes what it was told before it asks again; a change that is watched is told at once. */
const believedMs = 1_000;
/** Somebody else's view of who owns a file is forgotten after so long. */
const askerMs = 10_000;

export interface SharedFileSystemOptions {
  readonly share: string;
  readonly host: HostFiles;
  readonly owners: Owners;
  readonly announcements: Announcements;
  /** Of the machine for this share, as long as there is one. */
  readonly device: () => ShareDevice | null;
  readonly report: (message: string) => void;
}

/**
 * One shared folder as the machine's kernel asks for it: each request becomes one or two to the user's computer. The kernel checks no
 * permissions (the mount has no `default_permissions`): whoever is root or not in a container reaches what the user does, as the folder was
 * bound for that. Locks and the like are the kernel's own, among the machine's processes.
 */
export class SharedFileSystem {
  readonly nodes: Nodes;
  readonly #options: SharedFileSystemOptions;
  readonly #files: OpenFiles;
  readonly #listings = new Listings();
  readonly #askers = new Map<number, number>();
  #device: FuseDevice | null = null;

  constructor(options: SharedFileSystemOptions) {
    this.#options = options;
    this.nodes = new Nodes(options.share);
    const onWritten = (node: Node): void => options.announcements.wrote(this.nodes.inShare(node));
    this.#files = new OpenFiles({ ...options, nodes: this.nodes, onWritten });
  }

  serve(device: FuseDevice): void {
    this.#device = device;
  }

  /** For the device. */
  take(request: FuseRequest): void {
    const device = this.#device;
    if (device === null) return;
    switch (request.opcode) {
      case fuse.opcode.forget:
        return this.nodes.forget(request.node, fuse.readU64(request.body, 0));
      case fuse.opcode.batchForget:
        return this.#forgetMany(request.body);
      case fuse.opcode.interrupt:
        return; // what was asked is answered in bounded time anyhow
      default:
        this.#answer(request).then(
          (body) => device.answer(request, body),
          (error: unknown) => device.refuse(request, this.#errnoOf(error, request)),
        );
    }
  }

  async #answer(request: FuseRequest): Promise<Buffer | null> {
    const { opcode } = fuse;
    const { body } = request;
    switch (request.opcode) {
      case opcode.lookup:
        return await this.#lookup(request);
      case opcode.getattr:
        return await this.#getattr(request);
      case opcode.setattr:
        return await this.#setattr(request);
      case opcode.readlink:
        return Buffer.from(await this.#options.host.readlink(this.#path(request)), 'latin1');
      case opcode.symlink: {
        const name = fuse.readName(body, 0);
        const target = fuse.readName(body, name.length + 1);
        return await this.#made(request, name, (path) => this.#options.host.symlink(path, target));
      }
      case opcode.mknod:
        return await this.#mknod(request);
      case opcode.mkdir: {
        const permissions = body.readUInt32LE(0) & 0o7777;
        return await this.#made(request, fuse.readName(body, 8), (path) => this.#options.host.mkdir(path, permissions));
      }
      case opcode.unlink:
        return await this.#remove(request, (path) => this.#options.host.remove(path));
      case opcode.rmdir:
        return await this.#remove(request, (path) => this.#options.host.rmdir(path));
      case opcode.rename:
        return await this.#rename(request, 8);
      case opcode.rename2:
        // Exchanging two names, or making one only where there is none, is more than the user's computer may be able to.
        if (body.readUInt32LE(8) !== 0) throw new FileError('EINVAL');
        return await this.#rename(request, 16);
      case opcode.link:
        return await this.#link(request);
      case opcode.open:
        return await this.#open(request);
      case opcode.create:
        return await this.#create(request);
      case opcode.read:
        return await this.#read(request);
      case opcode.write:
        return await this.#write(request);
      case opcode.release:
        this.#files.release(fuse.readU64(body, 0));
        return null;
      case opcode.flush:
        await this.#files.flush(this.#files.get(fuse.readU64(body, 0)));
        return null;
      case opcode.fsync:
        await this.#fsync(this.#files.get(fuse.readU64(body, 0)));
        return null;
      case opcode.fsyncdir:
        return null;
      case opcode.statfs:
        return await this.#statfs();
      case opcode.opendir:
        return fuse.writeOpened(this.#listings.open(), 0);
      case opcode.readdir:
      case opcode.readdirplus:
        return await this.#readFolder(request);
      case opcode.releasedir:
        this.#listings.close(fuse.readU64(body, 0));
        return null;
      default:
        throw new FileError('ENOSYS');
    }
  }

  async #lookup(request: FuseRequest): Promise<Buffer> {
    const folder = this.#node(request);
    const name = fuse.readName(request.body, 0);
    if (this.#options.announcements.isHidden(request, folder, name)) return fuse.writeNoEntry(0);
    try {
      const file = await this.#options.host.lstat(this.#pathIn(folder, name));
      return this.#entry(request, this.nodes.found(folder, name, file));
    } catch (error) {
      if (!(error instanceof FileError) || error.errno !== errno.ENOENT) throw error;
      const known = folder.children.get(name);
      const shown = known === undefined ? null : this.#options.announcements.isLeaving(request, known);
      if (known !== undefined && shown === true) {
        known.lookups += 1;
        return this.#entry(request, known);
      }
      if (known !== undefined) this.nodes.gone(known);
      return fuse.writeNoEntry(believedMs);
    }
  }

  async #getattr(request: FuseRequest): Promise<Buffer> {
    const node = this.#node(request);
    const path = this.nodes.path(node);
    if (path !== null) {
      const file = await this.#options.host.lstat(path);
      if (file.inode === node.file.inode || node.parent === null) node.file = file;
      else this.nodes.gone(node);
    }
    if (node.isGone) node.file = { ...node.file, links: 0 };
    return this.#attributes(request, node);
  }

  async #setattr(request: FuseRequest): Promise<Buffer> {
    const { host, announcements, owners } = this.#options;
    const { uid, gid } = request;
    const node = this.#node(request);
    if (announcements.isOwn(request)) return this.#attributes(request, node);
    const path = this.nodes.path(node);
    const change = fuse.readChange(request.body);
    if (path !== null && (change.uid !== null || change.gid !== null)) {
      const before = owners.of(path) ?? { uid, gid };
      owners.give(path, { uid: change.uid ?? before.uid, gid: change.gid ?? before.gid });
    }
    const { sizeBytes, permissions, times } = change;
    if (sizeBytes !== null) {
      const opened = change.handle === null ? null : this.#files.get(change.handle).host;
      if (opened !== null) await host.changeOpen(opened, { sizeBytes });
      else if (path !== null) await host.change(path, { sizeBytes });
      node.file = { ...node.file, sizeBytes };
    }
    if (path !== null && permissions !== null) await host.change(path, { permissions });
    if (path !== null && times !== null) await host.change(path, { times });
    if (path !== null) node.file = await host.lstat(path);
    return this.#attributes(request, node);
  }

  async #mknod(request: FuseRequest): Promise<Buffer> {
    const mode = request.body.readUInt32LE(0);
    // Sockets, pipes and devices of the machine would be nothing on the user's computer.
    if ((mode & 0o170000) !== 0o100000) throw new FileError('EPERM');
    return await this.#made(request, fuse.readName(request.body, 16), async (path) => {
      const flags = openFlag.read | openFlag.write | openFlag.create | openFlag.exclusive;
      const { file, line, name } = await this.#options.host.open(path, { flags, permissions: mode & 0o7777 });
      await this.#options.host.close({ path: () => path, flags, opened: { line, name } });
      return file;
    });
  }

  async #made(request: FuseRequest, name: string, make: (path: string) => Promise<FileAttributes>): Promise<Buffer> {
    const folder = this.#node(request);
    const path = this.#pathIn(folder, name);
    const file = this.#options.announcements.isOwn(request) ? await this.#options.host.lstat(path) : await make(path);
    return this.#entry(request, this.nodes.found(folder, name, file));
  }

  async #remove(request: FuseRequest, remove: (path: string) => Promise<void>): Promise<null> {
    const folder = this.#node(request);
    const name = fuse.readName(request.body, 0);
    const path = this.#pathIn(folder, name);
    if (!this.#options.announcements.isOwn(request)) await remove(path);
    const known = folder.children.get(name);
    if (known !== undefined) this.nodes.gone(known);
    this.#options.owners.forget(path);
    return null;
  }

  async #rename(request: FuseRequest, namesAt: number): Promise<null> {
    const { body } = request;
    const from = { folder: this.#node(request), name: fuse.readName(body, namesAt) };
    const to = {
      folder: this.#nodeAt(fuse.readU64(body, 0)),
      name: fuse.readName(body, namesAt + from.name.length + 1),
    };
    const [old, next] = [this.#pathIn(from.folder, from.name), this.#pathIn(to.folder, to.name)];
    await this.#options.host.rename(old, next);
    this.nodes.moved(from, to);
    this.#options.owners.move(old, next);
    return null;
  }

  async #link(request: FuseRequest): Promise<Buffer> {
    const source = this.#nodeAt(fuse.readU64(request.body, 0));
    const from = this.nodes.path(source);
    if (from === null) throw new FileError('ENOENT');
    return await this.#made(request, fuse.readName(request.body, 8), (to) => this.#options.host.link(from, to));
  }

  async #open(request: FuseRequest): Promise<Buffer> {
    const node = this.#node(request);
    const path = this.#path(request);
    if (this.#options.announcements.isOwn(request)) return this.#openForAnnouncement(node);
    const flags = flagsOf(request.body.readUInt32LE(0));
    const opened = await this.#options.host.open(path, { flags, permissions: 0 });
    if (opened.file.inode !== node.file.inode) throw new FileError('ESTALE'); // replaced since: the kernel looks it up anew
    return this.#opened(node, opened, flags);
  }

  async #create(request: FuseRequest): Promise<Buffer> {
    const { body } = request;
    const folder = this.#node(request);
    const name = fuse.readName(body, 16);
    const path = this.#pathIn(folder, name);
    if (this.#options.announcements.isOwn(request)) {
      const node = this.nodes.found(folder, name, await this.#options.host.lstat(path));
      return Buffer.concat([this.#entry(request, node), this.#openForAnnouncement(node)]);
    }
    const flags = flagsOf(body.readUInt32LE(0)) | openFlag.create;
    const permissions = body.readUInt32LE(4) & 0o7777;
    const opened = await this.#options.host.open(path, { flags, permissions });
    const node = this.nodes.found(folder, name, opened.file);
    return Buffer.concat([this.#entry(request, node), this.#opened(node, opened, flags)]);
  }

  #opened(node: Node, opened: OpenedFile, flags: number): Buffer {
    const { file } = opened;
    const isSame = isUnchanged(node, file);
    node.file = file;
    node.openedAs = file;
    return fuse.writeOpened(this.#files.add(node, opened, flags), isSame ? fuse.openedFlag.keepCache : 0);
  }

  /** What is written to make a change heard reaches nothing. */
  #openForAnnouncement(node: Node): Buffer {
    return fuse.writeOpened(this.#files.addNowhere(node), fuse.openedFlag.directIo);
  }

  async #fsync(file: OpenFile): Promise<void> {
    await this.#files.flush(file);
    if (file.host !== null) await this.#options.host.fsync(file.host);
  }

  async #read({ body }: FuseRequest): Promise<Buffer> {
    const file = this.#files.get(fuse.readU64(body, 0));
    return await this.#files.read(file, fuse.readU64(body, 8), body.readUInt32LE(16));
  }

  async #write({ body }: FuseRequest): Promise<Buffer> {
    const bytes = body.subarray(40, 40 + body.readUInt32LE(16));
    await this.#files.write(this.#files.get(fuse.readU64(body, 0)), fuse.readU64(body, 8), bytes);
    const written = Buffer.alloc(8);
    written.writeUInt32LE(bytes.length, 0);
    return written;
  }

  async #statfs(): Promise<Buffer> {
    return fuse.writeSpace(await this.#options.host.statfs(this.nodes.path(this.nodes.root) ?? '/'));
  }

  async #readFolder(request: FuseRequest): Promise<Buffer> {
    const { body } = request;
    const folder = this.#node(request);
    const isPlus = request.opcode === fuse.opcode.readdirplus;
    return await this.#listings.read({
      handle: fuse.readU64(body, 0),
      from: fuse.readU64(body, 8),
      roomBytes: body.readUInt32LE(16),
      list: async () => {
        const own = [['.', folder.file] as const, ['..', folder.parent?.file ?? folder.file] as const];
        return [...own, ...(await this.#options.host.list(this.#path(request)))];
      },
      // The kernel counts an entry as a lookup.
      entry: isPlus ? (name, file) => this.#entry(request, this.nodes.found(folder, name, file)) : null,
    });
  }

  #entry(request: FuseRequest, node: Node): Buffer {
    const attributes = this.#seenBy(request, node);
    return fuse.writeEntry({ node: node.id, attributes, nameMs: believedMs, attributesMs: this.#believed(request) });
  }

  #attributes(request: FuseRequest, node: Node): Buffer {
    return fuse.writeAttributesAnswer(this.#seenBy(request, node), this.#believed(request));
  }

  #seenBy({ uid, gid }: FuseRequest, node: Node): KernelAttributes {
    const path = this.nodes.path(node);
    const owner = (path === null ? null : this.#options.owners.of(path)) ?? { uid, gid };
    return { ...node.file, ...owner };
  }

  /** With one user among those who ask, what was said holds a while; with two, each sees another owner. */
  #believed({ uid }: FuseRequest): number {
    const now = performance.now();
    this.#askers.set(uid, now);
    if (this.#askers.size === 1) return believedMs;
    for (const [other, seenMs] of this.#askers) if (now - seenMs > askerMs) this.#askers.delete(other);
    return this.#askers.size === 1 ? believedMs : 0;
  }

  #forgetMany(body: Buffer): void {
    const count = body.readUInt32LE(0);
    for (let index = 0; index < count; index++) {
      const at = 8 + 16 * index;
      this.nodes.forget(fuse.readU64(body, at), fuse.readU64(body, at + 8));
    }
  }

  #node({ node }: FuseRequest): Node {
    return this.#nodeAt(node);
  }

  #nodeAt(id: number): Node {
    const node = this.nodes.get(id);
    if (node === undefined) throw new FileError('ESTALE');
    return node;
  }

  #path(request: FuseRequest): string {
    const path = this.nodes.path(this.#node(request));
    if (path === null) throw new FileError('ESTALE');
    return path;
  }

  #pathIn(folder: Node, name: string): string {
    const path = this.nodes.pathIn(folder, name);
    if (path === null) throw new FileError('ENOENT');
    return path;
  }

  #errnoOf(error: unknown, { opcode }: FuseRequest): number {
    if (error instanceof FileError) return error.errno;
    this.#options.report(
      `request ${opcode}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    return errno.EIO;
  }
}

/** Of open(2), without those that the kernel deals with itself. */
function flagsOf(flags: number): number {
  const access = flags & accessBits;
  const asked = access === 0 ? openFlag.read : access === 1 ? openFlag.write : openFlag.read | openFlag.write;
  return asked | ((flags & 0o1000) === 0 ? 0 : openFlag.truncate) | ((flags & 0o200) === 0 ? 0 : openFlag.exclusive);
}

const accessBits = 3;
