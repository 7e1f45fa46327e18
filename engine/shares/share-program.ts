import { mkdirSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import type { FileChange, SharedFolder } from '../../api/shares/shares.ts';
import { EngineError } from '../model/errors.ts';
import { Announcements } from './announcements.ts';
import { type ShareDevice, detachAt, mountShareDevice } from './device-files.ts';
import { findSource } from './find-source.ts';
import { FuseDevice } from './fuse/device.ts';
import { takeOver } from './hand-over.ts';
import { FileError, HostFiles } from './host-files.ts';
import { Owners } from './owners.ts';
import { SharedFileSystem } from './shared-file-system.ts';
import { type Answer, type Found, type Request, controlSocket, filesSocket, handedSocket } from './wire.ts';
import { readLines, writeLine } from '../kernel/socket-lines.ts';

export interface ShareProgramOptions {
  /** Of sockets and mounts: below the exec root, 0700. */
  readonly folder: string;
  /** Database of who owns what. */
  readonly ownersFile: string;
  readonly onEnd: () => void;
  readonly report: (message: string) => void;
}

interface MountedShare {
  readonly folder: SharedFolder;
  readonly target: string;
  readonly device: FuseDevice;
  readonly announcements: Announcements;
}

/** How long a request waits for the user's computer while the line to it is being made. */
const patienceMs = 20_000;
/** A disk that has to spin up takes seconds; what takes longer is not coming. */
const answerMs = 30_000;
const seekEveryMs = 5_000;

/** All shared folders of an engine: their mounts, and the one stream to the user's computer that their files come over. */
export class ShareProgram {
  readonly #options: ShareProgramOptions;
  readonly #owners: Owners;
  readonly #host: HostFiles;
  readonly #shares = new Map<string, MountedShare>();
  /** By the ids of their shares; of null none was found. */
  readonly #devices = new Map<string, { readonly device: ShareDevice | null; readonly soughtMs: number }>();

  constructor(options: ShareProgramOptions) {
    this.#options = options;
    this.#owners = new Owners(options.ownersFile);
    this.#host = new HostFiles({ patienceMs, answerMs, onChanges: (changes) => this.#announce(changes) });
  }

  /** What one that was killed left mounted is taken away first: it answers nobody any more. */
  async listen(): Promise<void> {
    const { folder } = this.#options;
    detachAll(mountsIn(folder));
    mkdirSync(devicesIn(folder), { recursive: true, mode: 0o700 });
    detachAll(devicesIn(folder));
    await listenAt(filesSocket(folder), (socket) => void this.#host.attach(socket));
    await listenAt(handedSocket(folder), (socket) => takeOver(socket, (stream) => void this.#host.attach(stream)));
    await listenAt(controlSocket(folder), (socket) => this.#serve(socket));
  }

  #serve(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    readLines(socket, (message) => {
      const request = message as Request;
      const { seq } = request;
      this.#call(request).then(
        (found) => writeLine(socket, { seq, found }),
        (error: unknown) => writeLine(socket, { seq, failure: failureOf(error) }),
      );
    });
  }

  async #call(request: Request): Promise<Found | null> {
    switch (request.op) {
      case 'share':
        this.#share(request.folders);
        return null;
      case 'watch':
        await this.#watch(request.sources);
        return null;
      case 'find':
        return await this.#find(request);
      case 'end':
        this.#share([]);
        this.#options.onEnd();
        return null;
    }
  }

  #share(folders: readonly SharedFolder[]): void {
    const wanted = new Map(folders.map((folder) => [folder.id, folder]));
    for (const [id, { device, folder }] of this.#shares) {
      const next = wanted.get(id);
      if (next !== undefined && isSame(next, folder)) continue;
      device.detach();
      this.#devices.get(id)?.device?.[Symbol.dispose]();
      this.#devices.delete(id);
      this.#shares.delete(id);
    }
    for (const folder of folders) if (!this.#shares.has(folder.id)) this.#shares.set(folder.id, this.#mount(folder));
  }

  /** One that is gone may come again: a machine that was suspended has new ones. */
  #deviceOf({ id, device: tag }: SharedFolder): ShareDevice | null {
    if (tag === undefined) return null;
    const known = this.#devices.get(id);
    if (known?.device?.isAlive === true) return known.device;
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.soughtMs < seekEveryMs) return null;
    known?.device?.[Symbol.dispose]();
    const target = path.join(devicesIn(this.#options.folder), id);
    const device = mountShareDevice(tag, { target, report: this.#options.report });
    this.#devices.set(id, { device, soughtMs: nowMs });
    return device;
  }

  #mount(folder: SharedFolder): MountedShare {
    const target = path.join(mountsIn(this.#options.folder), folder.id);
    mkdirSync(target, { recursive: true, mode: 0o755 });
    const announcements: Announcements = new Announcements({
      target,
      nodes: () => system.nodes,
      device: () => device,
    });
    const system = new SharedFileSystem({
      share: folder.id,
      host: this.#host,
      owners: this.#owners,
      announcements,
      device: () => this.#deviceOf(folder),
      report: this.#options.report,
    });
    const device = FuseDevice.mount({ target, onRequest: (request) => system.take(request), onEnd: () => undefined });
    system.serve(device);
    return { folder, target, device, announcements };
  }

  async #find({ source, whenMissing }: Extract<Request, { op: 'find' }>): Promise<Found> {
    const folders = [...this.#shares.values()].map(({ folder }) => folder);
    const { share, inShare, isDirectory } = await findSource({ host: this.#host, folders, source, whenMissing });
    const target = this.#shares.get(share.id)?.target ?? '';
    // Names are bytes, paths of requests are UTF-8.
    const name = Buffer.from(inShare, 'latin1').toString('utf8');
    return { path: path.join(target, name), isDirectory, isReadOnly: share.isReadOnly };
  }

  async #watch(sources: readonly string[]): Promise<void> {
    const folders = [...this.#shares.values()].map(({ folder }) => folder);
    const found = await Promise.allSettled(
      sources.map((source) => findSource({ host: this.#host, folders, source, whenMissing: 'fail' })),
    );
    this.#host.watch(
      found.flatMap((one) => (one.status === 'fulfilled' ? [`/${one.value.share.id}${one.value.inShare}`] : [])),
    );
  }

  #announce(changes: readonly FileChange[]): void {
    for (const { kind, path: where } of changes) {
      const [, id = '', ...names] = where.split('/');
      this.#shares.get(id)?.announcements.add(kind, names.join('/'));
    }
  }
}

function mountsIn(folder: string): string {
  return path.join(folder, 'mounts');
}

/** Of devices, for this program alone. */
function devicesIn(folder: string): string {
  return path.join(folder, 'devices');
}

function isSame(one: SharedFolder, other: SharedFolder): boolean {
  return one.path === other.path && one.isReadOnly === other.isReadOnly && one.device === other.device;
}

function detachAll(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  for (const name of readdirSync(folder)) {
    const target = path.join(folder, name);
    detachAt(target);
    rmdirSync(target);
  }
}

async function listenAt(socketPath: string, onConnection: (socket: Socket) => void): Promise<Server> {
  rmSync(socketPath, { force: true });
  const server = createServer({ allowHalfOpen: true }, onConnection);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  return server;
}

function failureOf(error: unknown): Extract<Answer, { failure: unknown }>['failure'] {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof FileError)
    return {
      kind: error.message === 'EHOSTDOWN' ? 'unavailable' : 'invalid',
      message:
        error.message === 'EHOSTDOWN'
          ? 'the computer whose folder this is cannot be reached from the machine'
          : `the folder's computer says ${message}`,
    };
  const isKnown = error instanceof EngineError && (error.kind === 'invalid' || error.kind === 'unavailable');
  return { kind: isKnown ? (error.kind as 'invalid' | 'unavailable') : 'internal', message };
}
