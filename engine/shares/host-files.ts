import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { type AttributeChange, type FileAttributes, readAttributes, writeChange } from '../../api/shares/attributes.ts';
import { PacketWriter, extension, packetType, statusCode } from '../../api/shares/packets.ts';
import type { FileChange } from '../../api/shares/shares.ts';
import type { FreeSpace } from './fuse/codec.ts';
import { HostLine, LineLost, type Reply } from './host-line.ts';

/** What the user's computer says of a request, as the kernel wants it: a number of errno. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly errno: number;

  constructor(code: string) {
    super(code);
    this.errno = (constants.errno as Readonly<Record<string, number>>)[code] ?? constants.errno.EIO;
  }
}

/** An open file. It outlives the line: on the next one it is opened again by its path. */
export interface HostHandle {
  /** Asked when it is opened again: it may have been renamed. Null when it was removed. */
  readonly path: () => string | null;
  /** Of `openFlag`, without those that make or empty a file. */
  readonly flags: number;
  opened: { readonly line: HostLine; readonly name: string } | null;
}

export interface HostFilesOptions {
  readonly onChanges: (changes: readonly FileChange[]) => void;
  /** How long a request waits for a line that is away; from then on all fail at once until there is one. */
  readonly patienceMs: number;
  /** A line on which a request stays unanswered that long is given up. */
  readonly answerMs: number;
}

/**
 * The files of the user's computer, asked for over whatever line there is now. Requests wait while there is none; one that was under way when
 * a line broke is asked again where asking twice does no harm, and fails with EIO where nobody can know what came of it. Nothing waits
 * for ever: a process that hangs in a file system cannot even be killed.
 */
export class HostFiles {
  readonly #options: HostFilesOptions;
  #line: HostLine | null = null;
  #awaySinceMs = performance.now();
  #waiting: (() => void)[] = [];
  #watched: readonly string[] = [];

  constructor(options: HostFilesOptions) {
    this.#options = options;
  }

  /** Takes a line into use, in the place of the one before. Resolves when it has ended. */
  async attach(stream: Duplex): Promise<void> {
    const { onChanges, answerMs } = this.#options;
    const line = new HostLine(stream, { onChanges, answerMs });
    try {
      await line.greet();
    } catch {
      return; // it has ended before it began
    }
    this.#line?.endWhenAnswered();
    this.#line = line;
    for (const wake of this.#waiting.splice(0)) wake();
    if (this.#watched.length > 0) this.watch(this.#watched);
    await line.ended;
    if (this.#line !== line) return;
    this.#line = null;
    this.#awaySinceMs = performance.now();
  }

  /** Whose changes are told, from now on and on each line to come. */
  watch(paths: readonly string[]): void {
    this.#watched = paths;
    const packet = new PacketWriter(packetType.extended);
    this.#line
      ?.ask(packet, (fields) => {
        fields.text(extension.watch).u32(paths.length);
        for (const path of paths) fields.text(path);
      })
      .then(undefined, () => undefined); // a line that broke is told anew when there is one
  }

  lstat(path: string): Promise<FileAttributes> {
    return this.#again(async (line) =>
      attributesIn(await line.ask(new PacketWriter(packetType.lstat), (fields) => fields.text(path))),
    );
  }

  readlink(path: string): Promise<string> {
    return this.#again(async (line) => {
      const { fields } = expect(
        await line.ask(new PacketWriter(packetType.readlink), (packet) => packet.text(path)),
        packetType.name,
      );
      fields.u32();
      return fields.text();
    });
  }

  list(path: string): Promise<readonly (readonly [name: string, file: FileAttributes])[]> {
    return this.#again(async (line) => {
      const found: [string, FileAttributes][] = [];
      const replies = await line.askForMany(new PacketWriter(packetType.extended), (fields) =>
        fields.text(extension.list).text(path),
      );
      for (const reply of replies) {
        const { fields } = expect(reply, packetType.name);
        for (let left = fields.u32(); left > 0; left--) found.push([fields.text(), readAttributes(fields)]);
      }
      return found;
    });
  }

  statfs(path: string): Promise<FreeSpace> {
    return this.#again(async (line) => {
      const reply = await line.ask(new PacketWriter(packetType.extended), (packet) =>
        packet.text(extension.statvfs).text(path),
      );
      const { fields } = expect(reply, packetType.extendedReply);
      const [blockBytes, , blocks, free, available, files, freeFiles] = Array.from({ length: 7 }, () => fields.u64());
      return {
        blockBytes: blockBytes ?? 0,
        blocks: blocks ?? 0,
        free: free ?? 0,
        available: available ?? 0,
        files: files ?? 0,
        freeFiles: freeFiles ?? 0,
      };
    });
  }

  change(path: string, change: AttributeChange): Promise<void> {
    return this.#again(async (line) =>
      succeeded(
        await line.ask(new PacketWriter(packetType.setstat), (fields) => writeChange(fields.text(path), change)),
      ),
    );
  }

  changeOpen(handle: HostHandle, change: AttributeChange): Promise<void> {
    return this.#withHandle(handle, async (line, name) =>
      succeeded(
        await line.ask(new PacketWriter(packetType.fsetstat), (fields) => writeChange(fields.text(name), change)),
      ),
    );
  }

  /** `flags`: of `openFlag`. */
  async open(path: string, request: { readonly flags: number; readonly permissions: number }): Promise<OpenedFile> {
    const open = (line: HostLine): Promise<OpenedFile> => openOn(line, { path, ...request });
    const isOnce = (request.flags & 32) !== 0;
    return isOnce ? this.#once(open) : this.#again(open);
  }

  async close({ opened }: HostHandle): Promise<void> {
    if (opened === null || opened.line !== this.#line) return;
    // With its line it was closed by itself.
    await opened.line
      .ask(new PacketWriter(packetType.close), (fields) => fields.text(opened.name))
      .catch(() => undefined);
  }

  read(handle: HostHandle, at: number, length: number): Promise<Buffer> {
    return this.#withHandle(handle, async (line, name) => {
      const reply = await line.ask(new PacketWriter(packetType.read, 48), (fields) =>
        fields.text(name).u64(at).u32(length),
      );
      return reply.type === packetType.status ? endOfFile(reply) : expect(reply, packetType.data).fields.data();
    });
  }

  write(handle: HostHandle, at: number, bytes: Buffer): Promise<void> {
    return this.#withHandle(handle, async (line, name) =>
      succeeded(
        await line.ask(
          new PacketWriter(packetType.write, 48),
          (fields) => fields.text(name).u64(at).u32(bytes.length),
          bytes,
        ),
      ),
    );
  }

  fsync(handle: HostHandle): Promise<void> {
    return this.#withHandle(handle, async (line, name) =>
      succeeded(
        await line.ask(new PacketWriter(packetType.extended), (fields) => fields.text(extension.fsync).text(name)),
      ),
    );
  }

  remove(path: string): Promise<void> {
    return this.#once(async (line) =>
      succeeded(await line.ask(new PacketWriter(packetType.remove), (fields) => fields.text(path))),
    );
  }

  rmdir(path: string): Promise<void> {
    return this.#once(async (line) =>
      succeeded(await line.ask(new PacketWriter(packetType.rmdir), (fields) => fields.text(path))),
    );
  }

  mkdir(path: string, permissions: number): Promise<FileAttributes> {
    return this.#once(async (line) =>
      attributesIn(
        await line.ask(new PacketWriter(packetType.mkdir), (fields) => writeChange(fields.text(path), { permissions })),
      ),
    );
  }

  symlink(path: string, target: string): Promise<FileAttributes> {
    return this.#once(async (line) =>
      attributesIn(await line.ask(new PacketWriter(packetType.symlink), (fields) => fields.text(target).text(path))),
    );
  }

  link(from: string, to: string): Promise<FileAttributes> {
    return this.#once(async (line) =>
      attributesIn(
        await line.ask(new PacketWriter(packetType.extended), (fields) =>
          fields.text(extension.link).text(from).text(to),
        ),
      ),
    );
  }

  rename(from: string, to: string): Promise<void> {
    return this.#once(async (line) =>
      succeeded(
        await line.ask(new PacketWriter(packetType.extended), (fields) =>
          fields.text(extension.rename).text(from).text(to),
        ),
      ),
    );
  }

  async #withHandle<T>(handle: HostHandle, use: (line: HostLine, name: string) => Promise<T>): Promise<T> {
    return await this.#again(async (line) => {
      if (handle.opened?.line !== line) {
        const path = handle.path();
        if (path === null) throw new FileError('ESTALE');
        const { name } = await openOn(line, { path, flags: handle.flags, permissions: 0 });
        handle.opened = { line, name };
      }
      return await use(line, handle.opened.name);
    });
  }

  async #again<T>(use: (line: HostLine) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await use(this.#line ?? (await this.#nextLine()));
      } catch (error) {
        if (!(error instanceof LineLost)) throw error;
      }
    }
  }

  async #once<T>(use: (line: HostLine) => Promise<T>): Promise<T> {
    try {
      return await use(this.#line ?? (await this.#nextLine()));
    } catch (error) {
      throw error instanceof LineLost ? new FileError('EIO') : error;
    }
  }

  async #nextLine(): Promise<HostLine> {
    const leftMs = this.#awaySinceMs + this.#options.patienceMs - performance.now();
    if (leftMs > 0 && this.#line === null) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    if (this.#line === null) throw new FileError('EHOSTDOWN');
    return this.#line;
  }
}

export interface OpenedFile {
  readonly line: HostLine;
  readonly name: string;
  readonly file: FileAttributes;
}

async function openOn(
  line: HostLine,
  { path, flags, permissions }: { readonly path: string; readonly flags: number; readonly permissions: number },
): Promise<OpenedFile> {
  const reply = await line.ask(new PacketWriter(packetType.open), (packet) =>
    writeChange(packet.text(path).u32(flags), { permissions }),
  );
  const { fields } = expect(reply, packetType.handle);
  return { line, name: fields.text(), file: readAttributes(fields) };
}

function attributesIn(reply: Reply): FileAttributes {
  return readAttributes(expect(reply, packetType.attrs).fields);
}

function succeeded(reply: Reply): void {
  const { fields } = expectStatus(reply);
  if (fields.u32() !== statusCode.ok) throw new FileError(fields.text());
}

function endOfFile(reply: Reply): Buffer {
  if (reply.fields.u32() === statusCode.endOfFile) return Buffer.alloc(0);
  throw new FileError(reply.fields.text());
}

function expect(reply: Reply, type: number): Reply {
  if (reply.type === type) return reply;
  expectStatus(reply).fields.u32();
  throw new FileError(reply.fields.text());
}

function expectStatus(reply: Reply): Reply {
  if (reply.type !== packetType.status) throw new FileError('EPROTO');
  return reply;
}
