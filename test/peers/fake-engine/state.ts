import { randomBytes } from 'node:crypto';
import type { ContainerSummary, CreateContainerBody } from '../../../api/containers.ts';
import type { ImageInspect, ImageSummary } from '../../../api/images.ts';
import { FakeContainer } from './container.ts';
import { FakeEvents, matchesLabel } from './events.ts';
import { Refusal } from './refusal.ts';
import { isProgram, signalName } from './shell.ts';

export interface FakeImage {
  readonly id: string;
  readonly tag: string;
  readonly argv: readonly string[];
  readonly sizeBytes: number;
  readonly createdAt: Date;
}

/** Containers, images and events of one fake engine, with the transitions and the refusals of the real one. */
export class FakeState {
  readonly events = new FakeEvents();
  readonly containers = new Map<string, FakeContainer>();
  readonly images = new Map<string, FakeImage>();

  addImage(tag: string, argv: readonly string[]): FakeImage {
    const id = `sha256:${randomBytes(32).toString('hex')}`;
    const image: FakeImage = { id, tag: withTag(tag), argv, sizeBytes: 4_261_550, createdAt: new Date() };
    this.images.set(image.tag, image);
    this.events.emit({ Type: 'image', Action: 'load', Actor: { ID: id, Attributes: { name: image.tag } } });
    return image;
  }

  image(reference: string): FakeImage {
    const found = [...this.images.values()].find(
      ({ id, tag }) =>
        tag === withTag(reference) ||
        (reference.length > 3 && id.replace('sha256:', '').startsWith(reference.replace('sha256:', ''))),
    );
    if (!found) throw new Refusal(404, `No such image: ${withTag(reference)}`);
    return found;
  }

  /** Exact id, exact name, then unambiguous beginning of an id. */
  container(reference: string): FakeContainer {
    const all = [...this.containers.values()];
    const exact = all.find(({ id, name }) => id === reference || name === reference.replace(/^\//, ''));
    if (exact) return exact;
    const [found, second] = all.filter(({ id }) => id.startsWith(reference));
    if (!found) throw new Refusal(404, `No such container: ${reference}`);
    if (second) throw new Refusal(400, `multiple IDs found with provided prefix: ${reference}`);
    return found;
  }

  create(body: CreateContainerBody, name: string | null): FakeContainer {
    const image = this.image(body.Image ?? '');
    const id = randomBytes(32).toString('hex');
    if (name !== null && !/^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
      throw new Refusal(400, `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    const holder = [...this.containers.values()].find((container) => container.name === name);
    if (holder) {
      const message = `Conflict. The container name "/${name}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`;
      throw new Refusal(409, message);
    }
    const entrypoint = listOf(body.Entrypoint);
    const command = listOf(body.Cmd);
    const own = command.length > 0 || entrypoint.length > 0 ? command : image.argv;
    const argv = [...entrypoint, ...own].filter((word, index) => index > 0 || word !== '');
    if (argv.length === 0) throw new Refusal(400, 'no command specified');
    const container = new FakeContainer({ id, name: name ?? `fake_${id.slice(0, 8)}`, imageId: image.id, body, argv });
    this.containers.set(id, container);
    this.events.container('create', container);
    return container;
  }

  start(container: FakeContainer): 'started' | 'already-running' {
    if (container.isRunning) return 'already-running';
    const [program = ''] = container.argv;
    if (!isProgram(program)) {
      container.exitCode = 127;
      const reason = program.startsWith('/') ? 'no such file or directory' : 'executable file not found in $PATH';
      container.error = `failed to create task for container: exec: "${program}": ${reason}`;
      container.emit('exit');
      if (container.body.HostConfig?.AutoRemove) this.#forget(container);
      throw new Refusal(400, container.error);
    }
    container.start();
    this.events.container('start', container);
    container.once('exit', () => this.#exited(container));
    return 'started';
  }

  /** Resolves when it has exited; KILL follows the stop signal after `graceSeconds`. */
  async stop(container: FakeContainer, graceSeconds: number, signal?: string): Promise<'stopped' | 'already-stopped'> {
    if (!container.isRunning) return 'already-stopped';
    const exited = new Promise<void>((resolve) => container.once('exit', resolve));
    this.kill(container, signal ?? container.body.StopSignal ?? 'TERM');
    const timer = graceSeconds < 0 ? undefined : setTimeout(() => this.kill(container, 'KILL'), graceSeconds * 1000);
    await exited;
    clearTimeout(timer);
    this.events.container('stop', container);
    return 'stopped';
  }

  kill(container: FakeContainer, signal: string): void {
    const name = signalName(signal);
    if (name === null) throw new Refusal(400, `invalid signal: ${signal}`);
    if (!container.isRunning) {
      throw new Refusal(409, `cannot kill container: ${container.id}: container ${container.id} is not running`);
    }
    this.events.container('kill', container, { signal: name });
    container.kill(name);
  }

  async remove(container: FakeContainer, isForced: boolean): Promise<void> {
    if (container.isRunning) {
      if (!isForced) {
        const message = `cannot remove container "/${container.name}": container is running: stop the container before removing or force remove`;
        throw new Refusal(409, message);
      }
      const exited = new Promise<void>((resolve) => container.once('exit', resolve));
      this.kill(container, 'KILL');
      await exited;
    }
    this.#forget(container);
  }

  list(query: { isAll: boolean; limit: number; filters: ReadonlyMap<string, readonly string[]> }): ContainerSummary[] {
    const isAll = query.isAll || query.limit > 0 || query.filters.has('status') || query.filters.has('exited');
    const found = [...this.containers.values()]
      .reverse()
      .filter((container) => (isAll || container.isRunning) && matches(container, query.filters));
    return (query.limit > 0 ? found.slice(0, query.limit) : found).map((container) => container.summary());
  }

  #exited(container: FakeContainer): void {
    const execDuration = String(Math.round((Date.now() - Date.parse(container.startedAt)) / 1000));
    this.events.container('die', container, { exitCode: String(container.exitCode), execDuration });
    if (container.body.HostConfig?.AutoRemove) this.#forget(container);
  }

  #forget(container: FakeContainer): void {
    if (container.isRemoved) return;
    container.isRemoved = true;
    this.containers.delete(container.id);
    container.emit('removed');
    this.events.container('destroy', container);
  }
}

function matches(container: FakeContainer, filters: ReadonlyMap<string, readonly string[]>): boolean {
  const tests: Readonly<Record<string, (value: string) => boolean>> = {
    id: (value) => container.id.startsWith(value),
    name: (value) => new RegExp(value).test(`/${container.name}`),
    status: (value) => container.status === value,
    exited: (value) => container.status === 'exited' && String(container.exitCode) === value,
    ancestor: (value) => withTag(container.body.Image ?? '') === withTag(value) || container.imageId.includes(value),
    label: (value) => matchesLabel(container.body.Labels ?? {}, value),
  };
  return [...filters].every(([key, values]) => {
    const test = tests[key] ?? (() => false);
    return key === 'label' ? values.every(test) : values.some(test);
  });
}

export function imageSummary(image: FakeImage): ImageSummary {
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: [image.tag],
    RepoDigests: [],
    Created: Math.floor(image.createdAt.getTime() / 1000),
    Size: image.sizeBytes,
    SharedSize: -1,
    Labels: null,
    Containers: -1,
  };
}

export function imageInspect(image: FakeImage): ImageInspect {
  return {
    Id: image.id,
    RepoTags: [image.tag],
    RepoDigests: [],
    Created: image.createdAt.toISOString(),
    Config: { Cmd: image.argv },
    Architecture: 'amd64',
    Os: 'linux',
    Size: image.sizeBytes,
    GraphDriver: { Name: 'fake', Data: {} },
    RootFS: { Type: 'layers', Layers: [] },
    Metadata: { LastTagTime: image.createdAt.toISOString() },
  };
}

function withTag(reference: string): string {
  return /:[^/]+$/.test(reference) || reference === '' ? reference : `${reference}:latest`;
}

function listOf(words: readonly string[] | string | null | undefined): readonly string[] {
  return typeof words === 'string' ? [words] : (words ?? []);
}
