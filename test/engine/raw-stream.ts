import net from 'node:net';
import { FrameDecoder, type Frame } from '../../api/framing.ts';

/** A connection that an engine has turned into a plain byte stream, seen as bytes. */
export interface RawStream extends Disposable {
  readonly status: number;
  readonly contentType: string;
  readonly socket: net.Socket;
  /** All that has come after the head so far. */
  received(): Buffer;
  /** Resolves when this is so, at the latest at the end of the stream; rejects after a while. */
  until(isSo: (text: string) => boolean, what: string): Promise<void>;
  /** Everything, once the engine has ended its side. */
  end(): Promise<Buffer>;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  /** Sent behind head and body without waiting for the answer. */
  readonly early?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: asks for an upgrade as docker's clients do. */
  readonly upgrade?: 'tcp' | 'none';
}

const deadlineMs = 60_000;

export async function openRaw(socketPath: string, request: RawRequest): Promise<RawStream> {
  const socket = net.connect({ path: socketPath, allowHalfOpen: true });
  const body = request.body === undefined ? '' : JSON.stringify(request.body);
  const headers = {
    Host: 'engine',
    ...(request.upgrade === 'none' ? {} : { Connection: 'Upgrade', Upgrade: 'tcp' }),
    ...(body === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }),
    ...request.headers,
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `${request.method ?? 'POST'} ${request.path} HTTP/1.1\r\n${head.join('')}\r\n${body}${request.early ?? ''}`,
  );
  let bytes = Buffer.alloc(0);
  let isEnded = false;
  const watchers = new Set<() => void>();
  const wake = (): void => [...watchers].forEach((watcher) => watcher());
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    wake();
  });
  socket.on('error', () => undefined);
  for (const event of ['end', 'close'])
    socket.on(event, () => {
      isEnded = true;
      wake();
    });
  const when = (isSo: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!isSo()) return;
        clearTimeout(timer);
        watchers.delete(check);
        resolve();
      };
      const timer = setTimeout(() => {
        watchers.delete(check);
        reject(new Error(`waited ${deadlineMs} ms for ${what}; came: ${bytes.toString()}`));
      }, deadlineMs);
      watchers.add(check);
      check();
    });
  await when(() => isEnded || bytes.includes('\r\n\r\n'), 'the head of the answer');
  const start = bytes.indexOf('\r\n\r\n') + 4;
  const lines = bytes.toString('latin1', 0, start).split('\r\n');
  return {
    status: Number(lines[0]?.split(' ')[1]),
    contentType: /^content-type: (.*)$/im.exec(lines.join('\n'))?.[1] ?? '',
    socket,
    received: () => bytes.subarray(start),
    until: (isSo, what) => when(() => isEnded || isSo(bytes.toString('utf8', start)), what),
    async end() {
      await when(() => isEnded, 'the end of the stream');
      return bytes.subarray(start);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Frames as `stream: text`, those of one stream that follow each other joined. */
export function framesOf(bytes: Buffer): readonly string[] {
  const joined: { stream: Frame['stream']; text: string }[] = [];
  for (const { stream, payload } of new FrameDecoder().push(bytes)) {
    const last = joined.at(-1);
    if (last?.stream === stream) last.text += payload.toString();
    else joined.push({ stream, text: payload.toString() });
  }
  return joined.map(({ stream, text }) => `${stream}: ${text}`);
}
