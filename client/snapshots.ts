import type { SkiffSnapshot, SkiffSnapshotDiff } from '../api/skiff.ts';
import { answerOf, shapeOf } from './answers.ts';
import { silenceMs } from './progress.ts';
import type { CallOptions, EngineRequest, Transport } from './transport.ts';

/** A snapshot by its name, its id or the beginning of one; a container as everywhere. */
export interface SnapshotName {
  readonly container: string;
  readonly snapshot: string;
}

/** Snapshots of containers' files, of Skiff's engine alone. */
export class SnapshotsClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Oldest first. */
  async list(container: string, call: CallOptions = {}): Promise<readonly SkiffSnapshot[]> {
    const { text } = await this.#transport.call({ method: 'GET', path: pathOf(container), ...call });
    const { snapshots } = answerOf<{ readonly snapshots: readonly unknown[] }>(text, 'snapshots', {
      snapshots: 'array',
    });
    return snapshots.map((one) => shapeOf<SkiffSnapshot>(one, 'snapshot', { id: 'string', name: 'string' }));
  }

  /** The container stands still meanwhile. Throws EngineError 409 when the name is taken. */
  async take(
    container: string,
    options: { readonly name?: string; readonly comment?: string } = {},
    call: CallOptions = {},
  ): Promise<SkiffSnapshot> {
    const spec = { method: 'POST', path: pathOf(container), query: options } as const;
    return answerOf<SkiffSnapshot>(await this.#ask(spec, call), 'snapshot', { id: 'string', name: 'string' });
  }

  /** What has changed since, until now or until another snapshot; of the files a page. */
  async diff(
    { container, snapshot }: SnapshotName,
    options: { readonly to?: string; readonly after?: string; readonly limit?: number } = {},
    call: CallOptions = {},
  ): Promise<SkiffSnapshotDiff> {
    const spec = { method: 'GET', path: `${pathOf(container, snapshot)}/diff`, query: options } as const;
    return answerOf<SkiffSnapshotDiff>(await this.#ask(spec, call), 'snapshot diff', { files: 'array' });
  }

  /** Puts the files of a stopped container back as they were. Throws EngineError 409 while it runs. */
  async rollBack({ container, snapshot }: SnapshotName, call: CallOptions = {}): Promise<void> {
    await this.#ask({ method: 'POST', path: `${pathOf(container, snapshot)}/rollback` }, call);
  }

  async remove({ container, snapshot }: SnapshotName, call: CallOptions = {}): Promise<void> {
    await this.#ask({ method: 'DELETE', path: pathOf(container, snapshot) }, call);
  }

  /** An image of the container's files as they were. */
  async makeImage(
    { container, snapshot }: SnapshotName,
    options: { readonly tag?: string } = {},
    call: CallOptions = {},
  ): Promise<{ readonly id: string }> {
    const spec = { method: 'POST', path: `${pathOf(container, snapshot)}/image`, query: options } as const;
    return answerOf<{ readonly id: string }>(await this.#ask(spec, call), 'image of a snapshot', { id: 'string' });
  }

  /** A new container, set up as the first one, with its files as they were. It is not started. */
  async makeContainer(
    { container, snapshot }: SnapshotName,
    options: { readonly name?: string } = {},
    call: CallOptions = {},
  ): Promise<{ readonly id: string }> {
    const spec = { method: 'POST', path: `${pathOf(container, snapshot)}/container`, query: options } as const;
    return answerOf<{ readonly id: string }>(await this.#ask(spec, call), 'container of a snapshot', { id: 'string' });
  }

  /** Files are copied: that may take long. */
  async #ask(spec: EngineRequest, call: CallOptions): Promise<string> {
    return (await this.#transport.call({ timeoutMs: silenceMs, ...spec, ...call })).text;
  }
}

function pathOf(container: string, snapshot?: string): string {
  const all = `/skiff/v1/containers/${encodeURIComponent(container)}/snapshots`;
  return snapshot === undefined ? all : `${all}/${encodeURIComponent(snapshot)}`;
}
