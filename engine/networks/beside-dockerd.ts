/**
 * A dockerd that found forwarding switched off drops whatever is forwarded on its host (the policy of iptables' chain FORWARD), but for its own
 * containers and for what the chain DOCKER-USER accepts, which it keeps for the rules of others. There our bridges are let through, by a
 * chain of our own that it jumps to. Our own table, which every packet passes as well, says what is really forwarded; what a
 * bridge of dockerd's has part in stays dockerd's to decide. The rules are written as iptables-nft writes its own, else iptables, and
 * with it dockerd, could not read its tables any more. Those of iptables-legacy are not seen from here.
 */
import type { NftChange } from '../kernel/nft-events.ts';
import { type Nft, NftError } from '../kernel/nft.ts';

type Family = 'ip' | 'ip6';
const families: readonly Family[] = ['ip', 'ip6'];
const table = 'filter';
const provided = 'DOCKER-USER';
/** Those in which dockerd names its own bridges; in `DOCKER` itself the ports of its containers come and go. */
const isTheirs = (chain: string): boolean => chain.startsWith('DOCKER-') && chain !== provided;

/** Changes of tables come in bursts, one for each call of iptables. */
const burstMs = 20;
const triesInARow = 5;

export class BesideDockerd implements Disposable {
  readonly #nft: Nft;
  readonly #chain: string;
  readonly #bridges = new Set<string>();
  #isNeeded = false;
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `chain`: the name of ours, which no other engine has. */
  constructor(nft: Nft, chain: string) {
    this.#nft = nft;
    this.#chain = chain;
  }

  /** Those of networks; written by the next `write`, or at once where a dockerd is known to be. */
  addBridge(name: string): void {
    this.#bridges.add(name);
    if (this.#isNeeded) this.write();
  }

  removeBridge(name: string): void {
    if (this.#bridges.delete(name) && this.#isNeeded) this.write();
  }

  /** To be told of each change of the host's tables; null: which ones is not known. */
  follow(change: NftChange | null): void {
    if (change !== null && !this.#isConcerned(change)) return;
    this.#timer ??= setTimeout(() => this.write(), burstMs).unref();
  }

  /** Makes the kernel have what it should: nothing where there is no DOCKER-USER. Idempotent. */
  write(): void {
    this.#forgetTimer();
    try {
      const tables = this.#read();
      this.#isNeeded = tables.some(({ chains }) => chains.has(provided));
      const script = tables.map((found) => updateScript(found, this.#chain, this.#bridges)).join('');
      if (script !== '') this.#nft.run(script);
      this.#failures = 0;
    } catch (error) {
      if (!(error instanceof NftError)) throw error;
      // Somebody changed the table since it was read. Who does so for long makes changes that are told too.
      this.#failures += 1;
      if (this.#failures < triesInARow) this.follow(null);
    }
  }

  /** Also what an engine of the same name left behind that was killed. */
  removeAll(): void {
    this.#forgetTimer();
    this.#bridges.clear();
    this.#isNeeded = false;
    for (let tries = 1; ; tries += 1) {
      try {
        const script = this.#read().map((found) => removalScript(found, this.#chain));
        if (script.length > 0) this.#nft.run(script.join(''));
        return;
      } catch (error) {
        // Somebody changed the table since it was read.
        if (!(error instanceof NftError) || tries === triesInARow) throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#forgetTimer();
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #isConcerned({ of, tableName, chainName }: NftChange): boolean {
    if (tableName !== table) return false;
    return of === 'table' || chainName === provided || chainName === this.#chain || isTheirs(chainName);
  }

  #read(): readonly FilterTable[] {
    const chains = this.#nft.list('list chains');
    return families.flatMap((family): FilterTable[] => {
      const names = chainsOf(chains, `table ${family} ${table} {`);
      if (!names.has(provided) && !names.has(this.#chain)) return [];
      return [{ family, chains: names, rules: this.#nft.listJson(`list table ${family} ${table}`).flatMap(ruleOf) }];
    });
  }
}

interface FilterTable {
  readonly family: Family;
  readonly chains: ReadonlySet<string>;
  readonly rules: readonly Rule[];
}

interface Rule {
  readonly chain: string;
  readonly handle: number;
  /** As `ruleText` writes it; more than that is only told as such: `…`. */
  readonly text: string;
}

function updateScript(found: FilterTable, chain: string, bridges: ReadonlySet<string>): string {
  const { family, chains, rules } = found;
  if (!chains.has(provided)) return removalScript(found, chain);
  const wanted = ourRules(rules, bridges);
  const present = rules.filter((rule) => rule.chain === chain).map(({ text }) => text);
  const isWritten = chains.has(chain) && present.join('\n') === wanted.join('\n');
  const jump = `counter jump ${chain}`;
  const ofUsers = rules.filter((rule) => rule.chain === provided);
  const jumps = ofUsers.filter(({ text }) => text === jump);
  // Older ones of dockerd end it with a rule that returns, behind which nothing is looked at.
  const end = ofUsers.find(({ text }) => text === 'counter return');
  const seen = end === undefined ? ofUsers : ofUsers.slice(0, ofUsers.indexOf(end));
  // Where it stands it stays: rules of users that come later, and jumps of other engines, are as good behind it.
  const isLinked = jumps.length === 1 && jumps.every((rule) => seen.includes(rule));
  return lines([
    ...(isWritten
      ? []
      : [
          `add chain ${family} ${table} ${chain}`,
          `flush chain ${family} ${table} ${chain}`,
          ...wanted.map((rule) => `add rule ${family} ${table} ${chain} ${rule}`),
        ]),
    ...(isLinked
      ? []
      : [
          ...jumps.map(({ handle }) => `delete rule ${family} ${table} ${provided} handle ${handle}`),
          end === undefined
            ? `add rule ${family} ${table} ${provided} ${jump}`
            : `insert rule ${family} ${table} ${provided} handle ${end.handle} ${jump}`,
        ]),
  ]);
}

function removalScript({ family, chains, rules }: FilterTable, chain: string): string {
  if (!chains.has(chain)) return '';
  const jumps = rules.filter(({ text }) => text === `counter jump ${chain}`);
  return lines([
    ...jumps.map((rule) => `delete rule ${family} ${table} ${rule.chain} handle ${rule.handle}`),
    `flush chain ${family} ${table} ${chain}`,
    `delete chain ${family} ${table} ${chain}`,
  ]);
}

function ourRules(rules: readonly Rule[], bridges: ReadonlySet<string>): readonly string[] {
  const theirs = rules
    .filter(({ chain }) => isTheirs(chain))
    .flatMap(({ text }) => [...text.matchAll(/[io]ifname "([^"]+)"/g)].flatMap(([, name]) => name ?? []))
    .filter((name) => !bridges.has(name));
  const both = (name: string, verdict: string): string[] =>
    ['iifname', 'oifname'].map((direction) => `${direction} "${name}" counter ${verdict}`);
  return [
    ...[...new Set(theirs)].toSorted().flatMap((name) => both(name, 'return')),
    ...[...bridges].toSorted().flatMap((name) => both(name, 'accept')),
  ];
}

function lines(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}

/** `heading`: the line with which the table begins in a listing. */
function chainsOf(listing: string, heading: string): ReadonlySet<string> {
  const lines = listing.split('\n');
  const from = lines.indexOf(heading);
  const end = lines.indexOf('}', from);
  const inside = from === -1 ? [] : lines.slice(from, end);
  return new Set(inside.flatMap((line) => /^\tchain (\S+) \{$/.exec(line)?.[1] ?? []));
}

/** Source for the shapes: libnftables-json(5). */
function ruleOf(item: unknown): Rule[] {
  const rule = field(item, 'rule');
  const [chain, handle, statements] = [field(rule, 'chain'), field(rule, 'handle'), field(rule, 'expr')];
  if (typeof chain !== 'string' || typeof handle !== 'number' || !Array.isArray(statements)) return [];
  return [{ chain, handle, text: statements.map(statementText).join(' ') }];
}

function statementText(statement: unknown): string {
  if (typeof statement !== 'object' || statement === null) return '…';
  const target = field(field(statement, 'jump'), 'target');
  if (typeof target === 'string') return `jump ${target}`;
  for (const word of ['counter', 'accept', 'return']) if (word in statement) return word;
  const match = field(statement, 'match');
  const [key, name] = [field(field(field(match, 'left'), 'meta'), 'key'), field(match, 'right')];
  return field(match, 'op') === '==' && typeof key === 'string' && typeof name === 'string' ? `${key} "${name}"` : '…';
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}
