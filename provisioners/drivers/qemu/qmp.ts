import type { Socket } from 'node:net';
import { createConnection } from 'node:net';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';

/**
 * QEMU's own control line (QMP, docs/interop/qmp-spec): JSON objects, one a line, over a unix socket that serves one
 * client at a time; so a connection is held only as long as it is needed.
 */
const message = z.union([
  z.object({ QMP: z.object({}) }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ return: z.unknown(), id: z.number() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number() }),
]);

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class QmpConnection implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #greeting = Promise.withResolvers<undefined>();
  #lastId = 0;
  #rest = '';
  #onEvent: (event: string, data: Readonly<Record<string, unknown>>) => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('QEMU closed its control socket')));
    // Only `connect` waits for it; a connection that dies later must not count as an unhandled rejection.
    this.#greeting.promise.catch(() => undefined);
  }

  static async connect(path: string, timeoutMs = 5_000): Promise<QmpConnection> {
    const connection = new QmpConnection(createConnection(path));
    const timer = setTimeout(() => connection.#end(new Error('QEMU did not greet on its control socket')), timeoutMs);
    try {
      await connection.#greeting.promise;
      await connection.execute('qmp_capabilities');
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  onEvent(listener: (event: string, data: Readonly<Record<string, unknown>>) => void): void {
    this.#onEvent = listener;
  }

  async execute(
    command: string,
    options: { readonly arguments?: Readonly<Record<string, unknown>>; readonly timeoutMs?: number } = {},
  ): Promise<unknown> {
    const { timeoutMs = 5_000 } = options;
    if (this.#socket.destroyed) throw new Error('QEMU closed its control socket');
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    const timer = setTimeout(
      () => reject(new MachineError('timeout', `QEMU did not answer ${command} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#socket.write(`${JSON.stringify({ execute: command, id, arguments: options.arguments })}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** `running`, `internal-error`, `guest-panicked`, … */
  async status(): Promise<string> {
    return z.object({ status: z.string() }).parse(await this.execute('query-status')).status;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.trim() === '') continue;
      let parsed: z.infer<typeof message>;
      try {
        parsed = message.parse(JSON.parse(line));
      } catch (error) {
        this.#end(new Error('QEMU sent what is not QMP', { cause: error }));
        return;
      }
      if ('QMP' in parsed) this.#greeting.resolve(undefined);
      else if ('event' in parsed) this.#onEvent(parsed.event, parsed.data);
      else if ('error' in parsed) this.#waiting.get(parsed.id)?.reject(new Error(parsed.error.desc));
      else this.#waiting.get(parsed.id)?.resolve(parsed.return);
    }
  }

  #end(error: Error): void {
    this.#greeting.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#socket.destroy();
  }
}
