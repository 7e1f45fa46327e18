/**
 * Network namespaces made ahead: a new one costs more than half of what a container's network costs in all. Each has lo
 * up, docker's switches set and a netlink socket open inside, so that nobody has to enter it again. They are held by
 * descriptors alone: when the engine dies, the kernel takes them.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { type NetworkNamespace, makeNamespace } from '../kernel/netns.ts';
import { type Netlink, openNetlink } from '../kernel/netlink.ts';
import { getLink, parseLink, setLinkUp } from '../kernel/rtnetlink.ts';

export interface ReadyNamespace extends Disposable {
  readonly namespace: NetworkNamespace;
  /** Inside. */
  readonly netlink: Netlink;
}

export class ReadyNamespaces implements Disposable {
  readonly #wanted: number;
  readonly #ready: ReadyNamespace[] = [];
  #refill: NodeJS.Immediate | null = null;

  /** Keeps up to `wanted`, from the first time that one is taken. */
  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  /** The caller disposes it. */
  take(): ReadyNamespace {
    const taken = this.#ready.pop() ?? makeReady();
    this.#scheduleRefill();
    return taken;
  }

  [Symbol.dispose](): void {
    if (this.#refill !== null) clearImmediate(this.#refill);
    this.#refill = null;
    for (const ready of this.#ready.splice(0)) ready[Symbol.dispose]();
  }

  /** One a turn of the event loop, so that requests come in between. */
  #scheduleRefill(): void {
    if (this.#refill !== null || this.#ready.length >= this.#wanted) return;
    this.#refill = setImmediate(() => {
      this.#refill = null;
      try {
        this.#ready.push(makeReady());
      } catch {
        // Whoever needs one next meets the same error, and is somebody to tell.
        return;
      }
      this.#scheduleRefill();
    });
  }
}

function makeReady(): ReadyNamespace {
  const namespace = makeNamespace();
  try {
    const netlink = namespace.enter(openNetlink);
    const ready = {
      namespace,
      netlink,
      [Symbol.dispose]() {
        // The socket keeps the namespace alive as the descriptor does.
        netlink[Symbol.dispose]();
        namespace[Symbol.dispose]();
      },
    };
    prepareInside(ready);
    return ready;
  } catch (error) {
    namespace[Symbol.dispose]();
    throw error;
  }
}

function prepareInside({ namespace, netlink }: ReadyNamespace): void {
  try {
    const loopback = netlink.read(getLink('lo')).map(parseLink);
    netlink.change(loopback.map(setLinkUp));
    namespace.enter(setSwitches);
  } catch (error) {
    netlink[Symbol.dispose]();
    throw error;
  }
}

function setSwitches(): void {
  // Interfaces that come later have IPv4 alone, as the network has; lo came before and keeps ::1.
  const ipv6 = '/proc/sys/net/ipv6/conf/default/disable_ipv6';
  if (existsSync(ipv6)) writeFileSync(ipv6, '1');
  // As dockerd: any user in the container may bind low ports and ping.
  writeFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', '0');
  writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
}
