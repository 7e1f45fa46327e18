/**
 * From the bytes of a question to those of its answer (source: RFC 1035, RFC 6891). Pure. What is not ours to answer is passed on
 * byte by byte, so that whatever the codec does not know arrives as it was.
 */
import { isIPv4, isIPv6 } from 'node:net';
import {
  type Answer,
  type DecodedPacket,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  decode,
  encode,
} from 'dns-packet';
import type { Transport } from './exchange.ts';

/** What the container that asks can see. */
export interface View {
  addressesOf(name: string): readonly string[] | null;
  nameOf(address: string): string | null;
  readonly asksForDomains: boolean;
}

export type Decision =
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  | { readonly kind: 'forward' }
  /** No question at all: an answer to it could be a weapon. */
  | { readonly kind: 'ignore' };

export const responseCodes = { formatError: 1, serverFailure: 2, refused: 5 } as const;

const ttlSeconds = 600;
const headerBytes = 12;
const plainUdpBytes = 512;
const maxMessageBytes = 65_535;
/** Printable ASCII: names of others are for others, and the codec would change their bytes. */
const plainName = /^[\x21-\x7e]*$/;

export function decide(
  query: Buffer,
  parts: { readonly view: View; readonly transport: Transport; readonly random: () => number },
): Decision {
  if (query.length < headerBytes || isResponse(query)) return { kind: 'ignore' };
  let packet: DecodedPacket;
  try {
    packet = decode(query);
  } catch {
    return { kind: 'answer', bytes: refusal(query, responseCodes.formatError) };
  }
  const [question] = packet.questions ?? [];
  if (question === undefined || packet.questions?.length !== 1)
    return { kind: 'answer', bytes: refusal(query, responseCodes.formatError) };
  if ((question.class ?? 'IN') !== 'IN' || !plainName.test(question.name)) return { kind: 'forward' };
  const answers = answersTo(question, parts);
  if (answers !== null) return { kind: 'answer', bytes: response(packet, answers, parts.transport) };
  const isOneWord = !question.name.includes('.');
  const isForAddress = question.type === 'A' || question.type === 'AAAA';
  if (parts.view.asksForDomains && isOneWord && isForAddress)
    return { kind: 'answer', bytes: response(packet, [], parts.transport) };
  return { kind: 'forward' };
}

/** The question with an error in place of an answer. */
export function refusal(query: Buffer, code: number): Buffer {
  const end = questionEnd(query);
  const bytes = Buffer.from(query.subarray(0, end ?? headerBytes));
  const keptFlags = 0x79; // opcode and "recursion desired"
  bytes.writeUInt8(0x80 | (query.readUInt8(2) & keptFlags), 2);
  bytes.writeUInt8(code, 3);
  bytes.fill(0, 4, headerBytes);
  if (end !== null) bytes.writeUInt16BE(1, 4);
  return bytes;
}

export function isResponse(message: Buffer): boolean {
  return (message.readUInt8(2) & 0x80) !== 0;
}

export function responseCode(message: Buffer): number {
  return message.readUInt8(3) & 0x0f;
}

/** Null: the name is nobody's. An empty list: it is somebody's, and has nothing of that kind. */
function answersTo(
  { name, type }: { readonly name: string; readonly type: string },
  { view, random }: { readonly view: View; readonly random: () => number },
): readonly Answer[] | null {
  switch (type) {
    case 'A':
    case 'AAAA':
      return view.addressesOf(name) === null
        ? null
        : shuffled((view.addressesOf(name) ?? []).filter(type === 'A' ? isIPv4 : isIPv6), random).map((data) => ({
            type,
            name,
            ttl: ttlSeconds,
            data,
          }));
    case 'MX':
      return view.addressesOf(name) === null ? null : [];
    case 'PTR': {
      const address = reversedAddress(name);
      const found = address === null ? null : view.nameOf(address);
      return found === null ? null : [{ type, name, ttl: ttlSeconds, data: found }];
    }
    default:
      return null;
  }
}

/** As many answers as fit, and the bit that says there are more: the client asks again by TCP. */
function response(query: DecodedPacket, all: readonly Answer[], transport: Transport): Buffer {
  const limit = transport === 'tcp' ? maxMessageBytes : udpLimit(query);
  const truncated = 0x0200;
  const flags = RECURSION_AVAILABLE | (query.flag_rd ? RECURSION_DESIRED : 0);
  const base: Packet = { type: 'response', id: query.id, questions: query.questions };
  for (let count = all.length; ; count -= 1) {
    const bytes = encode({
      ...base,
      flags: flags | (count < all.length ? truncated : 0),
      answers: all.slice(0, count),
    });
    if (bytes.length <= limit || count === 0) return bytes;
  }
}

function udpLimit({ additionals = [] }: DecodedPacket): number {
  const extension = additionals.find((record) => record.type === 'OPT');
  return Math.max(plainUdpBytes, extension?.type === 'OPT' ? extension.udpPayloadSize : 0);
}

/** `4.3.2.1.in-addr.arpa` -> `1.2.3.4`; the same of `ip6.arpa`, in the short form that interfaces are shown with. */
export function reversedAddress(name: string): string | null {
  const labels = name.toLowerCase().split('.');
  const zone = labels.splice(-2).join('.');
  const address = labels.toReversed();
  if (zone === 'in-addr.arpa') return isIPv4(address.join('.')) ? address.join('.') : null;
  if (zone !== 'ip6.arpa' || address.length !== 32 || !address.every((digit) => /^[0-9a-f]$/.test(digit))) return null;
  const long = (address.join('').match(/.{4}/g) ?? []).join(':');
  return new URL(`http://[${long}]`).hostname.slice(1, -1);
}

function shuffled(list: readonly string[], random: () => number): readonly string[] {
  const mixed = [...list];
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other] ?? '', mixed[at] ?? ''];
  }
  return mixed;
}

/** Where the question section of one question ends; null when it is broken. */
function questionEnd(message: Buffer): number | null {
  let at = headerBytes;
  while (at < message.length) {
    const length = message.readUInt8(at);
    at += 1 + length;
    if (length > 63) return null;
    if (length === 0) return at + 4 <= message.length ? at + 4 : null;
  }
  return null;
}
