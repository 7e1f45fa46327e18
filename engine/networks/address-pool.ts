import { internal } from '../model/errors.ts';
import { type InterfaceAddress, addressNumber, addressText, lastAddress } from './subnet.ts';

/**
 * The addresses of one network. They are given in increasing order and come round late, so that an address that a client
 * still remembers does not at once belong to another container.
 */
export class AddressPool {
  readonly #bridge: InterfaceAddress;
  readonly #taken = new Set<number>();
  #next: number;

  constructor(bridge: InterfaceAddress) {
    this.#bridge = bridge;
    this.#taken.add(bridge.address);
    this.#next = bridge.subnet.base + 1;
  }

  /** Throws `internal`, in docker's words, when none is free. */
  take(networkName: string): string {
    const first = this.#bridge.subnet.base + 1;
    const last = lastAddress(this.#bridge.subnet) - 1;
    if (this.#taken.size > last - first)
      throw internal(`no available IPv4 addresses on this network's address pools: ${networkName}`);
    while (this.#taken.has(this.#next)) this.#next = this.#next >= last ? first : this.#next + 1;
    const address = this.#next;
    this.#taken.add(address);
    this.#next = address >= last ? first : address + 1;
    return addressText(address);
  }

  /** An address that a container already has; the next ones follow after it. */
  hold(text: string): void {
    const address = addressNumber(text);
    this.#taken.add(address);
    if (address >= this.#next && address < lastAddress(this.#bridge.subnet) - 1) this.#next = address + 1;
  }

  give(text: string): void {
    const address = addressNumber(text);
    if (address !== this.#bridge.address) this.#taken.delete(address);
  }
}
