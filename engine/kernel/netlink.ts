import { closeSync } from 'node:fs';
import { SystemCallError, slowSystemCall, systemCall } from './libc.ts';
import {
  type NetlinkMessage,
  type NetlinkRequest,
  decodeError,
  decodeMessages,
  encodeMessage,
  messageFlags,
  messageTypes,
} from './netlink-codec.ts';
import { watchFd } from './poll.ts';

const socketCall = systemCall<[number, number, number]>('int socket(int domain, int type, int protocol)');
const setsockopt = systemCall<[number, number, number, Int32Array, number]>(
  'int setsockopt(int fd, int level, int name, void *value, unsigned int length)',
);
const bindCall = systemCall<[number, Uint8Array, number]>('int bind(int fd, void *address, unsigned int length)');
const send = systemCall<[number, Buffer, number, number]>('long send(int fd, void *bytes, size_t length, int flags)');
const sendSlowly = slowSystemCall<[number, Buffer, number, number]>(
  'long send(int fd, void *bytes, size_t length, int flags)',
);
const receive = systemCall<[number, Buffer, number, number]>(
  'long recv(int fd, void *bytes, size_t length, int flags)',
);

const protocols = { routing: 0, netfilter: 12 } as const;
const closeOnExec = 0o2000000;
const netlinkLevel = 270;
const doNotWait = 0x40;
const wholeLength = 0x20;
const answerBytes = 64 * 1024;

/**
 * A line to the kernel's routing side, in the network namespace in which it was opened (and which it keeps alive until
 * it is disposed). The kernel works a request off while it is sent: nothing here waits.
 */
export interface Netlink extends Disposable {
  /**
   * Sends all requests at once. Throws a SystemCallError for the first that was refused; the others were carried out
   * nevertheless.
   */
  change(requests: readonly NetlinkRequest[]): void;
  /** Bodies of all answers to one request. */
  read(request: NetlinkRequest): readonly Buffer[];
}

/** `netfilter`: the side of firewall and connection tracking. */
export function openNetlink(side: 'routing' | 'netfilter' = 'routing'): Netlink {
  return new KernelNetlink(openSocket(side));
}

function openSocket(side: 'routing' | 'netfilter'): number {
  const fd = socketCall('netlink', 16, 3 | closeOnExec, protocols[side]);
  try {
    const shortAnswers = 10;
    const reasons = 11;
    for (const option of [shortAnswers, reasons]) setsockopt('netlink', fd, netlinkLevel, option, Int32Array.of(1), 4);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}

/**
 * What the kernel takes its time over (to delete an interface it waits for whoever may still look at it, some 20 ms): on
 * a line of its own, beside this thread. Rejects as `change` throws.
 */
export async function changeSlowly(requests: readonly NetlinkRequest[]): Promise<void> {
  using netlink = new KernelNetlink(openSocket('routing'));
  await netlink.changeSlowly(requests);
}

function whatOf(requests: readonly NetlinkRequest[]): string {
  return requests.map((request) => request.what).join(', ');
}

function lastAlone(requests: readonly NetlinkRequest[], at: number): number {
  return at === requests.length - 1 ? messageFlags.ack : 0;
}

class KernelNetlink implements Netlink {
  #fd: number;
  #sequence = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  change(requests: readonly NetlinkRequest[]): void {
    if (requests.length === 0) return;
    this.#send(requests, (at) => lastAlone(requests, at));
    this.#awaitLast(requests);
  }

  async changeSlowly(requests: readonly NetlinkRequest[]): Promise<void> {
    const bytes = this.#encode(requests, (at) => lastAlone(requests, at));
    await sendSlowly(whatOf(requests), this.#fd, bytes, bytes.length, 0);
    this.#awaitLast(requests);
  }

  /** The last one is acknowledged; errors come for any. */
  #awaitLast(requests: readonly NetlinkRequest[]): void {
    const last = this.#sequence;
    const first = last - requests.length + 1;
    let failure: SystemCallError | null = null;
    for (;;) {
      for (const message of this.#receive()) {
        if (message.type !== messageTypes.error) continue;
        failure ??= errorOf(message, requests[message.sequence - first]);
        if (message.sequence !== last) continue;
        if (failure !== null) throw failure;
        return;
      }
    }
  }

  read(request: NetlinkRequest): readonly Buffer[] {
    this.#send([request], () => (request.flags === messageFlags.dump ? 0 : messageFlags.ack));
    const bodies: Buffer[] = [];
    for (;;) {
      for (const message of this.#receive()) {
        if (message.type === messageTypes.error || message.type === messageTypes.done) {
          // A dump ends with the errno that it came to; zero, or an answer without one, is success.
          const failure = message.body.length < 4 ? null : errorOf(message, request);
          if (failure !== null) throw failure;
          return bodies;
        }
        bodies.push(message.body);
      }
    }
  }

  #send(requests: readonly NetlinkRequest[], extraFlags: (at: number) => number): void {
    const bytes = this.#encode(requests, extraFlags);
    send(whatOf(requests), this.#fd, bytes, bytes.length, 0);
  }

  #encode(requests: readonly NetlinkRequest[], extraFlags: (at: number) => number): Buffer {
    return Buffer.concat(
      requests.map(({ type, flags, body }, at) => {
        this.#sequence += 1;
        const all = flags | messageFlags.request | extraFlags(at);
        return encodeMessage({ type, flags: all, sequence: this.#sequence, body });
      }),
    );
  }

  /** One datagram, without those that answer older requests. EAGAIN, when the kernel gave none, is an error like any other. */
  #receive(): NetlinkMessage[] {
    const bytes = Buffer.allocUnsafe(answerBytes);
    const length = receive('an answer of the kernel', this.#fd, bytes, bytes.length, doNotWait | wholeLength);
    if (length > bytes.length)
      throw new Error(`an answer of the kernel has ${length} bytes, more than ${bytes.length}`);
    return [...decodeMessages(bytes.subarray(0, length))];
  }

  [Symbol.dispose](): void {
    if (this.#fd === -1) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }
}

/**
 * What the kernel tells of its own accord in one multicast group, from now on and in the namespace of the caller.
 * `onLost`: some messages did not find room.
 */
export function watchNetlink(
  group: { readonly side: keyof typeof protocols; readonly number: number },
  events: { onMessage(message: NetlinkMessage): void; onLost(): void },
): Disposable {
  const fd = socketCall('netlink', 16, 3 | closeOnExec, protocols[group.side]);
  const addMembership = 1;
  try {
    // A socket without an address gets no messages.
    bindCall('netlink', fd, Uint8Array.from([16, ...Array.from({ length: 11 }, () => 0)]), 12);
    setsockopt('group', fd, netlinkLevel, addMembership, Int32Array.of(group.number), 4);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  const bytes = Buffer.allocUnsafe(answerBytes);
  const watch = watchFd(fd, 'readable', () => {
    try {
      const length = receive('an event of the kernel', fd, bytes, bytes.length, doNotWait | wholeLength);
      if (length > bytes.length) events.onLost();
      else for (const message of decodeMessages(bytes.subarray(0, length))) events.onMessage(message);
    } catch (error) {
      if (!(error instanceof SystemCallError) || !['EAGAIN', 'ENOBUFS'].includes(error.code)) throw error;
      if (error.code === 'ENOBUFS') events.onLost();
    }
  });
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      closeSync(fd);
    },
  };
}

function errorOf(message: NetlinkMessage, request: NetlinkRequest | undefined): SystemCallError | null {
  const { errno, reason } = decodeError(message.body);
  if (errno === 0) return null;
  const error = new SystemCallError('netlink', errno, request?.what ?? 'an earlier request');
  if (reason !== '') error.message += `: ${reason}`;
  return error;
}
