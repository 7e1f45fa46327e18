import { csvFields, pairOf } from './csv.ts';
import type { PortBinding, PortMap } from '../../api/containers.ts';

export interface PublishedPorts {
  readonly bindings: PortMap;
  readonly exposed: Readonly<Record<string, object>>;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

const protocols = ['tcp', 'udp', 'sctp'];

/**
 * Reads `--publish` values: `[[ip:][hostPort[-end]]:]containerPort[-end][/protocol]`. Throws RangeError in docker's words.
 * A range of the host's for one port of the container means: any free one of them.
 */
export function parsePublished(specs: readonly string[]): PublishedPorts {
  const bindings: Record<string, PortBinding[]> = {};
  for (const spec of specs) {
    for (const { key, binding } of parseSpec(spec)) (bindings[key] ??= []).push(binding);
  }
  const exposed = Object.fromEntries(Object.keys(bindings).map((key) => [key, {}]));
  return { bindings, exposed };
}

/** Reads `--expose` values: `port[-end][/protocol]`. */
export function parseExposed(specs: readonly string[]): Record<string, object> {
  const exposed: Record<string, object> = {};
  for (const spec of specs) {
    if (spec.includes(':')) throw new RangeError(`invalid port format for --expose: ${spec}`);
    const { text, protocol } = splitProtocol(spec);
    const range = parseRange(text);
    if (range === null) throw new RangeError(`invalid range format for --expose: ${spec}`);
    for (let port = range.first; port <= range.last; port++) exposed[`${port}/${protocol}`] = {};
  }
  return exposed;
}

function parseSpec(spec: string): { key: string; binding: PortBinding }[] {
  const { text, protocol } = splitProtocol(spec.includes('=') ? shortForm(spec) : spec);
  const { ip, hostText, containerText } = splitParts(text);
  if (containerText === '') throw new RangeError(`no port specified: ${spec}<empty>`);
  const container = parseRange(containerText);
  if (container === null) throw new RangeError(`invalid containerPort: ${containerText}`);
  const host = hostText === '' ? null : parseRange(hostText);
  if (hostText !== '' && host === null) throw new RangeError(`invalid hostPort: ${hostText}`);
  const count = container.last - container.first + 1;
  const isOneOfMany = host !== null && count === 1 && host.first !== host.last;
  if (host !== null && !isOneOfMany && host.last - host.first + 1 !== count) {
    throw new RangeError(`invalid ranges specified for container and host Ports: ${containerText} and ${hostText}`);
  }
  return Array.from({ length: count }, (_, index) => ({
    key: `${container.first + index}/${protocol}`,
    binding: { HostIp: ip, HostPort: isOneOfMany ? hostText : host === null ? '' : String(host.first + index) },
  }));
}

/** `target=80,published=8080,protocol=tcp` as `8080:80/tcp`. */
function shortForm(spec: string): string {
  const fields: Record<string, string> = { published: '', protocol: 'tcp', mode: 'ingress' };
  for (const field of csvFields(spec)) {
    const { key, value } = pairOf(field);
    if (value === undefined || !['target', 'published', 'protocol', 'mode'].includes(key)) {
      throw new RangeError(`invalid field key ${key}`);
    }
    fields[key] = value;
  }
  const { target = '', published = '', protocol = '' } = fields;
  return published === '' ? `${target}/${protocol}` : `${published}:${target}/${protocol}`;
}

function splitParts(text: string): { ip: string; hostText: string; containerText: string } {
  const [, bracketed, rest] = /^\[([^\]]*)\]:(.*)$/s.exec(text) ?? [];
  const parts = (rest ?? text).split(':');
  const containerText = parts.pop() ?? '';
  const hostText = parts.pop() ?? '';
  const ip = bracketed ?? parts.join(':');
  if (ip !== '' && !isAddress(ip)) throw new RangeError(`invalid IP address: ${ip}`);
  return { ip, hostText, containerText };
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text)
    ? text.split('.').every((part) => Number(part) < 256)
    : /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text);
}

function splitProtocol(spec: string): { text: string; protocol: string } {
  const [text = '', protocol = 'tcp', ...more] = spec.split('/');
  if (more.length > 0 || !protocols.includes(protocol.toLowerCase()))
    throw new RangeError(`invalid proto: ${[protocol, ...more].join('/')}`);
  return { text, protocol: protocol.toLowerCase() };
}

function parseRange(text: string): Range | null {
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (from === undefined) return null;
  const range = { first: Number(from), last: Number(to ?? from) };
  return range.first <= range.last && range.last <= 65_535 ? range : null;
}
