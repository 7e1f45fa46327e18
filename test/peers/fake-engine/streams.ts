import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { frameHeader } from '../../../api/framing.ts';
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from '../../../api/detach-keys.ts';
import type { FakeContainer, LogRecord } from './container.ts';
import { Refusal } from './refusal.ts';

const flag = (query: URLSearchParams, name: string): boolean => /^(1|true)$/i.test(query.get(name) ?? '');

function outputType(container: FakeContainer): string {
  return `application/vnd.docker.${container.hasTerminal ? 'raw' : 'multiplexed'}-stream`;
}

function encode(container: FakeContainer, stream: 'stdout' | 'stderr', bytes: Buffer): Buffer {
  return container.hasTerminal ? bytes : Buffer.concat([frameHeader(stream, bytes.length), bytes]);
}

/** Serves a connection that has left HTTP behind: stdin one way, framed or raw output the other, until the exit. */
export function serveAttach(container: FakeContainer, query: URLSearchParams, connection: Duplex): void {
  const wants = (stream: string): boolean => flag(query, stream);
  const send = ({ stream, bytes }: LogRecord): void => {
    if (wants(stream)) connection.write(encode(container, stream, bytes));
  };
  const head = [
    'HTTP/1.1 101 UPGRADED',
    `Content-Type: ${outputType(container)}`,
    'Connection: Upgrade',
    'Upgrade: tcp',
  ];
  connection.write(`${head.join('\r\n')}\r\n\r\n`);
  if (wants('logs')) container.log.forEach(send);
  if (!wants('stream')) {
    connection.end();
    return;
  }
  const finish = (): void => {
    container.off('output', send);
    connection.end();
  };
  container.on('output', send);
  container.once('exit', finish);
  connection.once('close', () => {
    container.off('output', send);
    container.off('exit', finish);
  });
  const keys = parseDetachKeys(query.get('detachKeys') || defaultDetachKeys);
  const scanner = container.hasTerminal ? new DetachScanner(keys) : null;
  connection.on('data', (bytes: Buffer) => {
    if (!wants('stdin')) return;
    const { pass, isDetached } = scanner?.push(bytes) ?? { pass: bytes, isDetached: false };
    container.feed(pass);
    if (isDetached) finish();
  });
  connection.on('end', () => {
    if (wants('stdin')) container.closeStdin();
    if (!container.isRunning && container.status !== 'created') connection.end();
  });
}

/** The log, each record a frame of its own, and with `follow` what comes until the exit. */
export function serveLogs(container: FakeContainer, query: URLSearchParams, answer: ServerResponse): void {
  if (!flag(query, 'stdout') && !flag(query, 'stderr')) {
    throw new Refusal(400, 'Bad parameters: you must choose at least one stream');
  }
  const since = nanos(query.get('since')) ?? 0n;
  const until = nanos(query.get('until')) ?? 2n ** 63n;
  const send = (record: LogRecord): void => {
    if (!flag(query, record.stream) || record.timeNanos < since || record.timeNanos > until) return;
    const prefix = flag(query, 'timestamps') ? `${rfc3339(record.timeNanos)} ` : '';
    const bytes = Buffer.concat([Buffer.from(prefix), record.bytes]);
    answer.write(encode(container, record.stream, bytes));
  };
  answer.writeHead(200, { 'Content-Type': outputType(container) }).flushHeaders();
  const lines = container.log.flatMap(splitLines);
  const tail = query.get('tail') ?? 'all';
  (/^\d+$/.test(tail) ? lines.slice(Math.max(0, lines.length - Number(tail))) : lines).forEach(send);
  if (!flag(query, 'follow') || !container.isRunning) {
    answer.end();
    return;
  }
  const onOutput = (record: LogRecord): void => splitLines(record).forEach(send);
  const onExit = (): void => {
    // The next run of the container is another request's.
    container.off('output', onOutput);
    answer.end();
  };
  container.on('output', onOutput);
  container.once('exit', onExit);
  answer.once('close', () => {
    container.off('output', onOutput);
    container.off('exit', onExit);
  });
}

function splitLines(record: LogRecord): LogRecord[] {
  const lines = record.bytes.toString('latin1').split(/(?<=\n)/);
  return lines.map((line) => ({ ...record, bytes: Buffer.from(line, 'latin1') }));
}

function nanos(text: string | null): bigint | null {
  const parts = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text ?? '');
  if (!parts || text === '0') return null;
  return BigInt(parts[1] ?? 0) * 10n ** 9n + BigInt((parts[2] ?? '').padEnd(9, '0') || 0);
}

function rfc3339(timeNanos: bigint): string {
  const seconds = new Date(Number(timeNanos / 10n ** 6n)).toISOString().slice(0, 19);
  return `${seconds}.${String(timeNanos % 10n ** 9n).padStart(9, '0')}Z`;
}
