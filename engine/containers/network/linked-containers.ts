/**
 * Links of the default bridge (`--link`): whom a container finds there by an alias, in its hosts file and in variables. They are kept
 * as `<id>:<alias>`, so that a rename breaks none. In networks of a client's making, links are names in DNS instead (`names.ts`).
 */
import { EngineError, conflict, internal, invalid } from '../../model/errors.ts';
import { parseContainerId } from '../../model/ids.ts';
import type { EndpointPlan } from '../../networks/networks.ts';
import type { Container } from '../container.ts';
import type { Directory } from '../directory.ts';
import type { LinkedHost } from './hosts-file.ts';
import type { ContainerSpec, PortSpec } from '../spec/spec.ts';
import { liveState } from '../state.ts';

interface Link {
  readonly child: Container;
  readonly alias: string;
}

/** `name:alias`, `name`, or `/name:/parent/alias` as inspect shows it. Throws docker's errors, with its status codes. */
export function resolveLinks(directory: Directory, network: ContainerSpec['network']): readonly string[] {
  if (!isOnDefaultBridge(network)) return [];
  const links = network.links.map((text) => {
    const { name, alias } = parseLink(text);
    let child: Container;
    try {
      child = directory.find(name);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw invalid(`could not get container for ${name}: ${error.message}`, { cause: error });
    }
    if (child.spec.network.mode === 'host') {
      throw invalid(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
    }
    return `${child.id}:${alias}`;
  });
  return [...new Set(links)];
}

/** Links to containers that have been removed are no more. */
function linksOf(directory: Directory, { spec }: Pick<Container, 'spec'>): readonly Link[] {
  return spec.network.links.flatMap((text) => {
    const at = text.indexOf(':');
    const child = directory.byId(parseContainerId(text.slice(0, at)));
    return child === undefined ? [] : [{ child, alias: text.slice(at + 1) }];
  });
}

/** `/parent/alias` for each link, by the container that it leads to: docker lists them among its names. */
export function linkedNames(directory: Directory): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { parent, childId, alias } of allLinks(directory)) {
    const known = names.get(childId);
    if (known === undefined) names.set(childId, [`/${parent.name}/${alias}`]);
    else known.push(`/${parent.name}/${alias}`);
  }
  return names;
}

/** `/child:/parent/alias`, as inspect shows links, and a create takes them. */
export function shownLinks(directory: Directory, parent: Container): readonly string[] {
  return linksOf(directory, parent).map(({ child, alias }) => `/${child.name}:/${parent.name}/${alias}`);
}

/** Throws `conflict` when one of them does not run, or is not in the default bridge. */
export function linkedHosts(directory: Directory, container: Container): readonly LinkedHost[] {
  return linksOf(directory, container).map(({ child, alias }) => {
    const live = liveState(child.state);
    if (live === null)
      throw conflict(`Cannot link to a non running container: /${child.name} AS /${container.name}/${alias}`);
    const address = bridgeAddress(live.endpoint);
    if (address === null) throw internal(`container ${child.id} not attached to default bridge network`);
    return { address, alias, name: child.name, hostname: child.spec.hostname };
  });
}

/** Running containers whose hosts files name `child`, and what they must say of it now that it has another address. */
export function hostsThatName(
  directory: Directory,
  child: Container,
  plan: EndpointPlan,
): readonly { readonly parent: Container; readonly host: LinkedHost }[] {
  const address = bridgeAddress(plan);
  if (address === null) return [];
  return [...allLinks(directory)]
    .filter(({ parent, childId }) => childId === child.id && liveState(parent.state) !== null)
    .map(({ parent, alias }) => ({
      parent,
      host: { address, alias, name: child.name, hostname: child.spec.hostname },
    }));
}

/** `ALIAS_PORT`, `ALIAS_PORT_80_TCP`, … `ALIAS_ENV_X`, as docker makes them (source: docker docs, legacy container links). */
export function linkVariables(directory: Directory, container: Container): readonly string[] {
  return linksOf(directory, container).flatMap(({ child, alias }) => {
    const live = liveState(child.state);
    const address = live === null ? null : bridgeAddress(live.endpoint);
    if (address === null) return [];
    const prefix = alias.toUpperCase().replaceAll('-', '_');
    return [
      ...portVariables(prefix, address, child.spec.network.exposed),
      `${prefix}_NAME=/${container.name}/${alias}`,
      ...child.spec.process.env
        .filter((variable) => !/^(HOME|PATH)=/.test(variable))
        .map((variable) => `${prefix}_ENV_${variable}`),
    ];
  });
}

function isOnDefaultBridge({ mode, endpoints }: ContainerSpec['network']): boolean {
  return mode !== 'network' || endpoints.some(({ network }) => network === 'bridge');
}

function parseLink(text: string): { readonly name: string; readonly alias: string } {
  if (text === '') throw internal('empty string specified for links');
  const [name = '', alias, more] = text.split(':');
  if (more !== undefined) throw internal(`bad format for links: ${text}`);
  if (name.startsWith('/')) return { name: name.slice(1), alias: alias?.slice(alias.lastIndexOf('/') + 1) ?? name };
  return { name, alias: alias ?? name };
}

function* allLinks(directory: Directory): Generator<{ parent: Container; childId: string; alias: string }> {
  for (const parent of directory.each()) {
    for (const link of parent.spec.network.links) {
      const at = link.indexOf(':');
      yield { parent, childId: link.slice(0, at), alias: link.slice(at + 1) };
    }
  }
}

function bridgeAddress({ endpoints }: EndpointPlan): string | null {
  return endpoints.find(({ networkName }) => networkName === 'bridge')?.ipv4?.address ?? null;
}

/** Sorted, TCP before the others; a row of ports one after the other also has variables of its first and last. */
function portVariables(prefix: string, address: string, exposed: readonly PortSpec[]): readonly string[] {
  const ports = exposed.toSorted(
    (a, b) =>
      Number(b.protocol === 'tcp') - Number(a.protocol === 'tcp') ||
      a.protocol.localeCompare(b.protocol) ||
      a.port - b.port,
  );
  const [first] = ports;
  if (first === undefined) return [];
  const url = ({ port, protocol }: PortSpec): string => `${protocol}://${address}:${port}`;
  const name = ({ port, protocol }: PortSpec): string => `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
  return [
    `${prefix}_PORT=${url(first)}`,
    ...ports.flatMap((port) => [
      `${name(port)}=${url(port)}`,
      `${name(port)}_ADDR=${address}`,
      `${name(port)}_PORT=${port.port}`,
      `${name(port)}_PROTO=${port.protocol}`,
    ]),
    ...rangesOf(ports).flatMap(([start, end]) => [
      `${name(start)}_START=${url(start)}`,
      `${name(start)}_PORT_START=${start.port}`,
      `${name(start)}_END=${url(end)}`,
      `${name(start)}_PORT_END=${end.port}`,
    ]),
  ];
}

function rangesOf(ports: readonly PortSpec[]): readonly (readonly [PortSpec, PortSpec])[] {
  const ranges: [PortSpec, PortSpec][] = [];
  for (const port of ports) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1].protocol === port.protocol && last[1].port + 1 === port.port) last[1] = port;
    else ranges.push([port, port]);
  }
  return ranges.filter(([start, end]) => start !== end);
}
