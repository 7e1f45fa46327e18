import { type NftChange, watchNftables } from '../kernel/nft-events.ts';
import { type Nft, NftError } from '../kernel/nft.ts';
import type { ContainerId, NetworkId } from '../model/ids.ts';
import { BesideDockerd } from './beside-dockerd.ts';
import { readBridgeOptions } from './driver-options.ts';
import type { Network } from './networks.ts';
import type { EndpointPlan } from './plan.ts';
import {
  type NetworkRules,
  type RulesetFacts,
  addNetwork,
  addPlan,
  deleteNetwork,
  deletePlan,
  deleteTable,
  tableName,
  wholeTable,
} from './ruleset.ts';

/**
 * The table of one engine in the kernel, with its rules beside a dockerd's, and the memory of what must be in it. Each change is one transaction. Somebody
 * may flush all rules of the host (`nft flush ruleset`, a firewall's reload): ours are written anew as soon as the kernel tells it.
 */
export class Firewall implements Disposable {
  readonly #nft: Nft;
  readonly #networks = new Map<NetworkId, NetworkRules>();
  readonly #plans = new Map<ContainerId, EndpointPlan>();
  readonly #besideDockerd: BesideDockerd;
  #facts: RulesetFacts;
  /** `none`: nothing stands in the kernel, changes are only remembered. `due`: the same, and the first change writes everything. */
  #state: 'none' | 'due' | 'written' = 'none';
  #watch: Disposable | null = null;

  constructor(nft: Nft, engineId: string) {
    this.#nft = nft;
    this.#besideDockerd = new BesideDockerd(nft, tableName(engineId));
    this.#facts = { engineId, closedLinks: { ipv4: [], ipv6: [] } };
  }

  /** Between these interfaces nothing new is forwarded. */
  closeLinks(change: Partial<RulesetFacts['closedLinks']>): void {
    this.#facts = { ...this.#facts, closedLinks: { ...this.#facts.closedLinks, ...change } };
    if (this.#state !== 'none') this.rewrite();
  }

  addNetwork(network: Network): void {
    if (network.driver !== 'bridge') return;
    const rules = rulesOf(network);
    this.#networks.set(network.id, rules);
    this.#change(addNetwork(this.#facts, rules));
    // What a bridge of somebody else's carries is not ours to let through.
    if (network.isInterfaceOurs) this.#besideDockerd.addBridge(network.hostInterface);
  }

  removeNetwork(network: Network): void {
    const rules = this.#networks.get(network.id);
    if (rules === undefined || !this.#networks.delete(network.id)) return;
    this.#change(deleteNetwork(this.#facts, rules));
    this.#besideDockerd.removeBridge(network.hostInterface);
  }

  /** What a container publishes, in place of what it published before; null: nothing any more. */
  publish(containerId: ContainerId, plan: EndpointPlan | null): void {
    const before = this.#plans.get(containerId);
    if (plan === null) this.#plans.delete(containerId);
    else this.#plans.set(containerId, plan);
    if (plan === null && this.#state === 'due') return; // nothing of it stands there
    const removal = before === undefined ? '' : deletePlan(this.#facts, before);
    this.#change(removal + (plan === null ? '' : addPlan(this.#facts, plan)));
  }

  /** The same, to be written with all others by `rewrite`. */
  remember(plan: EndpointPlan): void {
    this.#plans.set(plan.containerId, plan);
  }

  /** The whole table, in one transaction, in place of whatever stands there under its name. */
  rewrite(): void {
    this.#nft.run(wholeTable(this.#facts, { networks: this.#networks.values(), plans: this.#plans.values() }));
    this.#state = 'written';
    // Watched before it is looked at: a dockerd may just be starting.
    this.#watch ??= watchNftables((change) => this.#follow(change));
    this.#besideDockerd.write();
  }

  /** `rewrite`, with the next change or with `settle`, whichever comes first: for a moment at which no container has a network. */
  rewriteLater(): void {
    this.#state = 'due';
  }

  settle(): void {
    if (this.#state === 'due') this.rewrite();
  }

  removeAll(): void {
    this.#networks.clear();
    this.#plans.clear();
    this.#state = 'none';
    this.#endWatch();
    this.#nft.run(deleteTable(this.#facts.engineId));
    this.#besideDockerd.removeAll();
  }

  [Symbol.dispose](): void {
    this.#endWatch();
    this.#nft[Symbol.dispose]();
  }

  #endWatch(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = null;
    this.#besideDockerd[Symbol.dispose]();
  }

  #follow(change: NftChange | null): void {
    if (this.#state !== 'written') return;
    const ours = tableName(this.#facts.engineId);
    if (change === null || (change.of === 'table' && change.tableName === ours)) this.#restore(ours);
    this.#besideDockerd.follow(change);
  }

  /** Our own rewriting deletes the table too, and makes it in the same moment. */
  #restore(ours: string): void {
    try {
      if (!this.#nft.list('list tables inet').split('\n').includes(`table inet ${ours}`)) this.rewrite();
    } catch (error) {
      // Whoever deletes may be at it again; the next change writes everything, and has somebody to tell.
      if (!(error instanceof NftError)) throw error;
    }
  }

  #change(script: string): void {
    if (this.#state === 'due') {
      this.rewrite();
      return;
    }
    if (script === '' || this.#state === 'none') return;
    try {
      this.#nft.run(script);
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      this.rewrite();
    }
  }
}

function rulesOf(network: Network): NetworkRules {
  const { hasMasquerade, hasIcc, isUnprotected } = readBridgeOptions(network.options);
  const subnet = (family: 4 | 6): string | null => network.pools.find((pool) => pool.family === family)?.subnet ?? null;
  return {
    bridgeName: network.hostInterface,
    ipv4: subnet(4),
    ipv6: subnet(6),
    hasMasquerade,
    hasIcc,
    isInternal: network.isInternal,
    isUnprotected,
  };
}
