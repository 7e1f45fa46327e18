import { decodeAttributes, decodeText } from './netlink-codec.ts';
import { watchNetlink } from './netlink.ts';

const nftablesGroup = 7;
const deletedTable = (10 << 8) | 2;
const familyBytes = 4;
const tableName = 1;

/**
 * Calls `onDeleted` for each nftables table that goes, whoever deleted it: `nft flush ruleset` and the reload of a firewall delete those
 * of others. Also for one that was deleted and made again in the same transaction. Null: which ones is not known.
 */
export function watchDeletedTables(onDeleted: (name: string | null) => void): Disposable {
  return watchNetlink(
    { side: 'netfilter', number: nftablesGroup },
    {
      onMessage({ type, body }) {
        if (type === deletedTable) onDeleted(decodeText(decodeAttributes(body.subarray(familyBytes)).get(tableName)));
      },
      onLost: () => onDeleted(null),
    },
  );
}
