import type { ContainerId } from '../../model/ids.ts';
import type { NamedContainer, NamedEndpoint } from './named-container.ts';

/**
 * Who has which name in which network, and what a container sees of it. Names have no case. A name may belong to several
 * containers (an alias that they share): all their addresses are the answer.
 */
export class NameBook {
  readonly #containers = new Map<ContainerId, NamedContainer>();
  /** By network, then by name in lower case. */
  readonly #names = new Map<string, Map<string, Set<NamedEndpoint>>>();

  /** In place of what was known of that container. */
  put(container: NamedContainer): void {
    this.drop(container.containerId);
    this.#containers.set(container.containerId, container);
    for (const endpoint of container.endpoints) {
      const network = entry(this.#names, endpoint.networkId, () => new Map<string, Set<NamedEndpoint>>());
      for (const name of endpoint.names)
        entry(network, name.toLowerCase(), () => new Set<NamedEndpoint>()).add(endpoint);
    }
  }

  drop(id: ContainerId): void {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.#containers.delete(id);
    for (const endpoint of container.endpoints) {
      const network = this.#names.get(endpoint.networkId);
      for (const name of endpoint.names) {
        const holders = network?.get(name.toLowerCase());
        holders?.delete(endpoint);
        if (holders?.size === 0) network?.delete(name.toLowerCase());
      }
      if (network?.size === 0) this.#names.delete(endpoint.networkId);
    }
  }

  /**
   * All addresses of a name as `id` sees it; null when no container has it. `web.front` is a container `web.front`, or `web`
   * in the network `front`: dots are allowed in both, so every way to cut the name is tried, longest name first.
   */
  addressesOf(id: ContainerId, name: string): readonly string[] | null {
    const labels = name.toLowerCase().split('.');
    const endpoints = this.#containers.get(id)?.endpoints ?? [];
    for (let length = labels.length; length > 0; length -= 1) {
      const wanted = labels.slice(0, length).join('.');
      const networkName = labels.slice(length).join('.');
      const asked =
        networkName === '' ? endpoints : endpoints.filter((one) => one.networkName.toLowerCase() === networkName);
      const found = this.#linked(asked, wanted) ?? this.#named(asked, wanted);
      if (found !== null) return found;
    }
    return null;
  }

  /** `web.front` for an address of a network that `id` is in, else null. */
  nameOf(id: ContainerId, address: string): string | null {
    for (const { networkId, networkName } of this.#containers.get(id)?.endpoints ?? []) {
      for (const holders of this.#names.get(networkId)?.values() ?? []) {
        for (const { addresses, names } of holders)
          if (addresses.includes(address)) return `${names[0] ?? ''}.${networkName}`;
      }
    }
    return null;
  }

  #linked(endpoints: readonly NamedEndpoint[], alias: string): readonly string[] | null {
    for (const endpoint of endpoints) {
      const target = Object.entries(endpoint.links).find(([name]) => name.toLowerCase() === alias)?.[1];
      const found = target === undefined ? null : this.#inNetwork(endpoint, target.toLowerCase());
      if (found !== null) return found;
    }
    return null;
  }

  #named(endpoints: readonly NamedEndpoint[], name: string): readonly string[] | null {
    for (const endpoint of endpoints) {
      const found = this.#inNetwork(endpoint, name);
      if (found !== null) return found;
    }
    return null;
  }

  #inNetwork({ networkId }: NamedEndpoint, name: string): readonly string[] | null {
    const holders = this.#names.get(networkId)?.get(name);
    return holders === undefined ? null : [...holders].flatMap(({ addresses }) => addresses);
  }
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
