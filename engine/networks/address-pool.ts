import { internal } from '../model/errors.ts';
import type { Pool } from './networks.ts';
import { type Subnet, addressNumber, addressText, contains, lastAddress, readSubnet } from './subnet.ts';

/** The addresses of one pool. The lowest that is free is given first, as dockerd does; people write such addresses down. */
export class AddressPool {
  readonly subnet: Subnet;
  /** First and last address to choose. */
  readonly #first: bigint;
  readonly #last: bigint;
  /** Of the gateway and of strangers: never given, never freed. */
  readonly #reserved: ReadonlySet<bigint>;
  readonly #taken = new Set<bigint>();
  /** Below this one, none of the range is free. */
  #next: bigint;

  constructor(pool: Pool) {
    this.subnet = readSubnet(pool.subnet);
    const range = readSubnet(pool.range);
    const { base, family } = this.subnet;
    // The first address names the network (for IPv6: all its routers), the last of IPv4 is everybody.
    this.#first = range.base === base ? base + 1n : range.base;
    const end = lastAddress(range);
    this.#last = family === 4 && end === lastAddress(this.subnet) ? end - 1n : end;
    const others = [...(pool.gateway === null ? [] : [pool.gateway]), ...pool.excluded].map((text) =>
      addressNumber(text),
    );
    this.#reserved = new Set(others.filter((address) => address !== null));
    this.#next = this.#first;
  }

  get prefixLength(): number {
    return this.subnet.prefixLength;
  }

  /** Null when none is free. */
  take(): string | null {
    while (this.#isUsed(this.#next)) this.#next += 1n;
    if (this.#next > this.#last) return null;
    this.#taken.add(this.#next);
    return addressText(this.subnet.family, this.#next);
  }

  /** One that a client named. */
  takeExactly(text: string): 'taken' | 'in-use' | 'elsewhere' {
    const address = addressNumber(text);
    if (address === null || !contains(this.subnet, address)) return 'elsewhere';
    if (this.#isUsed(address)) return 'in-use';
    this.#taken.add(address);
    return 'taken';
  }

  /** An address that a container already has. */
  hold(text: string): void {
    const address = addressNumber(text);
    if (address === null) throw internal(`no address: ${text}`);
    this.#taken.add(address);
  }

  /** Does nothing for an address of another pool. */
  give(text: string): void {
    const address = addressNumber(text);
    if (address === null || !this.#taken.delete(address)) return;
    if (address < this.#next && address >= this.#first) this.#next = address;
  }

  #isUsed(address: bigint): boolean {
    return this.#taken.has(address) || this.#reserved.has(address);
  }
}
