import { decodeAttributes, decodeText } from './netlink-codec.ts';
import { watchNetlink } from './netlink.ts';

const nftablesGroup = 7;
const familyBytes = 4;

/** Source: linux/netfilter/nf_tables.h, the message's number in the subsystem 10 and the attributes with names. */
const told: ReadonlyMap<number, Pick<NftChange, 'of'> & { readonly chainAttribute: number }> = new Map([
  [(10 << 8) | 2, { of: 'table', chainAttribute: 0 }],
  [(10 << 8) | 3, { of: 'chain', chainAttribute: 3 }],
  [(10 << 8) | 5, { of: 'chain', chainAttribute: 3 }],
  [(10 << 8) | 6, { of: 'rule', chainAttribute: 2 }],
  [(10 << 8) | 8, { of: 'rule', chainAttribute: 2 }],
]);
const tableAttribute = 1;

export interface NftChange {
  readonly of: 'table' | 'chain' | 'rule';
  readonly tableName: string;
  /** Of a chain, and of the one that a rule is in; empty: a table. */
  readonly chainName: string;
}

/**
 * Calls `onChange` for each nftables table that goes and for chains and rules that come and go, whoever changed them: `nft flush ruleset` and
 * the reload of a firewall delete those of others. Also for what was deleted and made again in the same transaction. Null: what changed is not known.
 */
export function watchNftables(onChange: (change: NftChange | null) => void): Disposable {
  return watchNetlink(
    { side: 'netfilter', number: nftablesGroup },
    {
      onMessage({ type, body }) {
        const known = told.get(type);
        if (known === undefined) return;
        const { of, chainAttribute } = known;
        const attributes = decodeAttributes(body.subarray(familyBytes));
        const tableName = decodeText(attributes.get(tableAttribute));
        onChange({ of, tableName, chainName: decodeText(attributes.get(chainAttribute)) });
      },
      onLost: () => onChange(null),
    },
  );
}
