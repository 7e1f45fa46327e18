import http from 'node:http';
import { FrameDecoder } from '../../api/framing.ts';
import { call } from './api.ts';
import { docker, eventually } from './docker.ts';

export interface BoxResult {
  readonly exitCode: number;
  /** stdout and stderr as they came. */
  readonly output: string;
  readonly warnings: readonly string[];
}

/** What is asked for besides the command: fields of the create body. */
export interface BoxRequest {
  readonly host?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly name?: string;
}

/** Containers of an engine through its plain API, made for one look inside and removed again. Throws what the engine answers. */
export class Boxes {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Runs a shell script (or a command, as a list) to its end. */
  async run(command: string | readonly string[], request: BoxRequest = {}): Promise<BoxResult> {
    const { id, warnings } = await this.create(command, request);
    try {
      const ended = call(this.#socket, 'POST', `/containers/${id}/wait?condition=next-exit`);
      await this.start(id);
      const { StatusCode: exitCode } = (await ended).json() as { StatusCode: number };
      return { exitCode, output: await this.output(id), warnings };
    } finally {
      await this.remove(id);
    }
  }

  async create(
    command: string | readonly string[],
    { host = {}, config = {}, name = '' }: BoxRequest = {},
  ): Promise<{ readonly id: string; readonly warnings: readonly string[] }> {
    const Cmd = typeof command === 'string' ? ['sh', '-c', command] : command;
    const body = { Image: 'hello', Cmd, ...config, HostConfig: { NetworkMode: 'none', ...host } };
    const answer = await call(this.#socket, 'POST', `/containers/create?name=${name}`, body);
    if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.text}`);
    const { Id: id, Warnings: warnings } = answer.json() as { Id: string; Warnings: readonly string[] };
    return { id, warnings };
  }

  /** Creates and starts one that goes on until it is removed. */
  async keep(request: BoxRequest = {}, command: string | readonly string[] = ['sleep', '600']): Promise<string> {
    const { id } = await this.create(command, request);
    await this.start(id);
    return id;
  }

  async start(id: string): Promise<void> {
    const { status, text } = await call(this.#socket, 'POST', `/containers/${id}/start`);
    if (status !== 204) throw new Error(`start: ${status} ${text}`);
  }

  /** PUT of an archive, as `docker cp` does it; the status of the answer. */
  copyIn(id: string, folder: string, archive: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = http.request(
        {
          socketPath: this.#socket,
          method: 'PUT',
          path: `/containers/${id}/archive?path=${encodeURIComponent(folder)}`,
          headers: { 'Content-Type': 'application/x-tar', 'Content-Length': archive.length },
          timeout: 60_000,
        },
        (response) => {
          response.resume();
          response.once('end', () => resolve(response.statusCode ?? 0));
        },
      );
      sent.once('timeout', () => sent.destroy(new Error('no answer to the copy')));
      sent.once('error', reject);
      sent.end(archive);
    });
  }

  async stop(id: string): Promise<void> {
    await call(this.#socket, 'POST', `/containers/${id}/stop?t=0`);
  }

  /** Runs a script in the container until it prints `output`; throws when that does not come. */
  async until(id: string, script: string, output: string): Promise<void> {
    await eventually(`${script} to print ${output}`, async () => {
      const { stdout } = await docker(this.#socket, ['exec', id, 'sh', '-c', script]);
      return stdout === output ? true : null;
    });
  }

  async inspect<T = Readonly<Record<string, unknown>>>(id: string): Promise<T> {
    return (await call(this.#socket, 'GET', `/containers/${id}/json`)).json() as T;
  }

  async remove(id: string): Promise<void> {
    await call(this.#socket, 'DELETE', `/containers/${id}?force=1&v=1`);
  }

  output(id: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const path = `/containers/${id}/logs?stdout=1&stderr=1`;
      const sent = http.get({ socketPath: this.#socket, path, timeout: 60_000 }, (response) => {
        const decoder = new FrameDecoder();
        const isRaw = response.headers['content-type'] === 'application/vnd.docker.raw-stream';
        const parts: Buffer[] = [];
        response.on('data', (chunk: Buffer) =>
          parts.push(...(isRaw ? [chunk] : decoder.push(chunk).map(({ payload }) => payload))),
        );
        response.once('error', reject);
        response.once('end', () => resolve(Buffer.concat(parts).toString()));
      });
      sent.once('timeout', () => sent.destroy(new Error('the log did not come')));
      sent.once('error', reject);
    });
  }
}
