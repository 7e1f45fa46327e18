import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { parseInstant } from '../model/time.ts';
import { journalEntry } from './journal.ts';
import { LineCutter } from './line-cutter.ts';
import type { SyslogPlan } from './log-plan.ts';
import { SentLog } from './sent-log.ts';
import { openSyslog, syslogMessage } from './syslog.ts';
import { readSyslogAddress, syslogFacility, syslogFormat } from './syslog-options.ts';

const at = parseInstant('2026-01-02T03:04:05.678901234Z') ?? 0n;
const plan = (more: Partial<SyslogPlan> = {}): SyslogPlan => ({
  driver: 'syslog',
  target: { kind: 'udp', host: '127.0.0.1', port: 514 },
  format: 'rfc3164',
  facility: 3,
  tag: 'abc',
  cache: null,
  ...more,
});
const message = (more: Partial<SyslogPlan>, stream: 'stdout' | 'stderr' = 'stdout'): string =>
  syslogMessage(plan(more), { stream, text: Buffer.from('text'), at, hostname: 'host', pid: 7 }).toString();

describe('a syslog message', () => {
  it('has the form that was asked for', () => {
    // The older form has the time of the place.
    expect(message({})).toMatch(/^<30>[A-Z][a-z]{2} [ \d]\d \d\d:04:05 host abc\[7\]: text$/);
    expect(message({ target: { kind: 'unix', path: '/dev/log' } })).toMatch(/:04:05 abc\[7\]: text$/);
    expect(message({ format: 'rfc5424' })).toBe('<30>1 2026-01-02T03:04:05Z host abc 7 abc - text');
    expect(message({ format: 'rfc5424micro', facility: 16 }, 'stderr')).toBe(
      '<131>1 2026-01-02T03:04:05.678901Z host abc 7 abc - text',
    );
  });

  it('goes to where an address says', () => {
    expect(readSyslogAddress('')).toEqual({ kind: 'unix', path: '/dev/log' });
    expect(readSyslogAddress('unixgram:///a/b')).toEqual({ kind: 'unix', path: '/a/b' });
    expect(readSyslogAddress('udp://[::1]:5514')).toEqual({ kind: 'udp', host: '::1', port: 5514 });
    expect(readSyslogAddress('tcp://logs.example.com')).toEqual({ kind: 'tcp', host: 'logs.example.com', port: 514 });
    expect(() => readSyslogAddress('foo')).toThrow("unsupported scheme: ''");
    expect(() => readSyslogAddress('udp://host:99999')).toThrow('expected udp://host:port');
    expect(() => readSyslogAddress('tcp+tls://host:1')).toThrow('not there yet');
    expect(() => syslogFormat('x')).toThrow('Invalid syslog format');
    expect(() => syslogFacility('x')).toThrow('invalid syslog facility');
    expect([syslogFacility(''), syslogFacility('local7'), syslogFacility('5')]).toEqual([3, 23, 5]);
  });

  it('is sent line by line, by UDP', async () => {
    const server = createSocket('udp4');
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const target = { kind: 'udp', host: '127.0.0.1', port: server.address().port } as const;
    const received: string[] = [];
    const all = new Promise<void>((resolve) =>
      server.on('message', (bytes) => {
        if (received.push(bytes.toString().replace(/^.*\]: /, '')) === 3) resolve();
      }),
    );
    const reports: string[] = [];
    const log = new SentLog(
      openSyslog(plan({ target }), { now: () => at, report: (text) => reports.push(text) }),
      null,
    );
    log.write('stdout', Buffer.from('one\ntw'));
    log.write('stdout', Buffer.from('o\nlast'));
    log.finish();
    log[Symbol.dispose]();
    await all;
    server.close();
    expect([received, reports]).toEqual([['one', 'two', 'last'], []]);
  });

  it('is sent by TCP, each on a line of its own, also what was written before the connection stood', async () => {
    let received = '';
    const ended = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on('data', (bytes) => (received += bytes.toString()));
      socket.on('end', () => ended.resolve());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
    const sender = openSyslog(plan({ target, format: 'rfc5424' }), { now: () => at, report: () => undefined });
    const log = new SentLog(sender, null);
    log.write('stderr', Buffer.from('one\ntwo\n'));
    log[Symbol.dispose]();
    await ended.promise;
    server.close();
    expect(received.split('\n').map((line) => line.replace(/^.* - /, ''))).toEqual(['one', 'two', '']);
  });
});

it('an entry of the journal: values with a newline have their length before them', () => {
  const entry = journalEntry({ PRIORITY: '6', MESSAGE: Buffer.from('a\nb') });
  expect(entry.toString('latin1')).toBe('PRIORITY=6\nMESSAGE\n\u0003\0\0\0\0\0\0\0a\nb\n');
});

it('lines are cut anywhere, long ones into parts', () => {
  const cutter = new LineCutter();
  const long = 'x'.repeat(20_000);
  const cut = ['on', 'e\n', `${long}\nla`, 'st'].flatMap((text) =>
    [...cutter.push(Buffer.from(text))].map(({ text: line, isPartial }) => [line.length, isPartial]),
  );
  expect(cut).toEqual([
    [3, false],
    [16_384, true],
    [20_000 - 16_384, false],
  ]);
  expect(cutter.flush()?.text.toString()).toBe('last');
  expect(cutter.flush()).toBeNull();
});
