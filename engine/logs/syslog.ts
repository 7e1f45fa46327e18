/** Lines to a syslog (source: RFC 3164, RFC 5424; docker's forms of them). */
import { createSocket } from 'node:dgram';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { UnixDatagram } from '../kernel/unix-datagram.ts';
import { formatInstant, type Instant } from '../model/time.ts';
import type { CutLine } from './line-cutter.ts';
import type { SyslogPlan } from './log-plan.ts';
import type { LineSender } from './sent-log.ts';

const severities = { stdout: 6, stderr: 3 };
/** What waits for a syslog that does not take it; more is lost. */
const mostWaitingBytes = 1024 * 1024;

export interface SyslogLine {
  readonly stream: 'stdout' | 'stderr';
  readonly text: Buffer;
  readonly at: Instant;
  readonly hostname: string;
  readonly pid: number;
}

/** One message, without what ends it on a stream. Pure. */
export function syslogMessage(plan: SyslogPlan, line: SyslogLine): Buffer {
  const priority = plan.facility * 8 + severities[line.stream];
  const { tag } = plan;
  const head = (): string => {
    switch (plan.format) {
      case 'rfc3164': {
        const date = new Date(Number(line.at / 1_000_000n));
        const stamp = `${date.toString().slice(4, 7)} ${String(date.getDate()).padStart(2, ' ')} ${date.toTimeString().slice(0, 8)}`;
        // The syslog of this computer knows whose it is.
        const host = plan.target.kind === 'unix' ? '' : `${line.hostname} `;
        return `<${priority}>${stamp} ${host}${tag}[${line.pid}]: `;
      }
      case 'rfc5424':
        return `<${priority}>1 ${formatInstant(line.at - (line.at % 1_000_000_000n))} ${line.hostname} ${tag} ${line.pid} ${tag} - `;
      case 'rfc5424micro':
        return `<${priority}>1 ${micros(line.at)} ${line.hostname} ${tag} ${line.pid} ${tag} - `;
    }
  };
  return Buffer.concat([Buffer.from(head()), line.text]);
}

function micros(at: Instant): string {
  const fraction = String((at % 1_000_000_000n) / 1000n).padStart(6, '0');
  return `${formatInstant(at - (at % 1_000_000_000n)).slice(0, 19)}.${fraction}Z`;
}

/** Throws when the syslog of this computer is not there; one elsewhere is tried for as long as the log is open. */
export function openSyslog(
  plan: SyslogPlan,
  parts: { readonly now: () => Instant; readonly report: (message: string) => void },
): LineSender {
  const wire = openWire(plan, parts.report);
  const facts = { hostname: hostname(), pid: process.pid };
  return {
    send: (stream, { text }: CutLine) => wire.send(syslogMessage(plan, { stream, text, at: parts.now(), ...facts })),
    [Symbol.dispose]: () => wire[Symbol.dispose](),
  };
}

interface Wire extends Disposable {
  send(message: Buffer): void;
}

function openWire({ target }: SyslogPlan, report: (message: string) => void): Wire {
  switch (target.kind) {
    case 'unix':
      return new UnixDatagram(target.path);
    case 'udp':
      return udpWire(target, report);
    case 'tcp':
      return new TcpWire(target, report);
  }
}

function udpWire(target: { readonly host: string; readonly port: number }, report: (message: string) => void): Wire {
  const socket = createSocket(target.host.includes(':') ? 'udp6' : 'udp4');
  // One report for each way in which it fails, not for each line.
  let failure = '';
  const failed = (error: Error): void => {
    if (error.message !== failure) report(`syslog ${target.host}:${target.port}: ${error.message}`);
    failure = error.message;
  };
  socket.on('error', failed);
  socket.unref();
  let left = 0;
  let isDisposed = false;
  const closeWhenSent = (): void => {
    if (isDisposed && left === 0) socket.close();
  };
  return {
    send(message) {
      left += 1;
      socket.send(message, target.port, target.host, (error) => {
        left -= 1;
        if (error !== null) failed(error);
        closeWhenSent();
      });
    },
    [Symbol.dispose]() {
      isDisposed = true;
      closeWhenSent();
    },
  };
}

/** Connects when there is something to send, and again when it broke. */
class TcpWire implements Wire {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #report: (message: string) => void;
  #socket: Socket | null = null;
  #failure = '';

  constructor(target: { readonly host: string; readonly port: number }, report: (message: string) => void) {
    this.#target = target;
    this.#report = report;
    this.#socket = this.#connect();
  }

  send(message: Buffer): void {
    const socket = (this.#socket ??= this.#connect());
    if (socket.writableLength > mostWaitingBytes) throw new Error('the syslog does not keep up');
    socket.write(Buffer.concat([message, Buffer.from('\n')]));
  }

  [Symbol.dispose](): void {
    this.#socket?.end();
    this.#socket = null;
  }

  #connect(): Socket {
    const { host, port } = this.#target;
    const socket = connect({ host, port });
    socket.resume();
    socket.on('connect', () => (this.#failure = ''));
    socket.on('error', (error) => {
      if (error.message !== this.#failure) this.#report(`syslog ${host}:${port}: lines are lost: ${error.message}`);
      this.#failure = error.message;
    });
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = null;
    });
    return socket;
  }
}
