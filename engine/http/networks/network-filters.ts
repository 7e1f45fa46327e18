import { internal, invalid } from '../../model/errors.ts';
import { type Filters, passes, passesLabels } from '../../model/filters.ts';
import type { Network } from '../../networks/networks.ts';

export const networkFilterKeys = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** Docker's rules: keys AND, values of a key OR; names and ids by any part of them. Throws docker's errors for wrong values. */
export function passesNetworkFilters(
  filters: Filters,
  network: Network,
  { isInUse }: { readonly isInUse: boolean },
): boolean {
  return (
    passes(filters, 'name', (value) => network.name.includes(value)) &&
    passes(filters, 'id', (value) => network.id.includes(value)) &&
    passes(filters, 'driver', (value) => network.driver === value) &&
    passes(filters, 'scope', (value) => network.scope === value) &&
    passes(filters, 'type', (value) => isOfType(network, value)) &&
    passes(filters, 'dangling', (value) => isDangling(network, isInUse) === truth(value)) &&
    passesLabels(filters, network.labels)
  );
}

/** Made by a client and joined by nobody who runs. */
function isDangling(network: Network, isInUse: boolean): boolean {
  return !network.isBuiltIn && !isInUse;
}

function isOfType(network: Network, type: string): boolean {
  if (type !== 'builtin' && type !== 'custom') throw internal(`invalid filter: 'type'='${type}'`);
  return network.isBuiltIn === (type === 'builtin');
}

function truth(value: string): boolean {
  if (['1', 'true'].includes(value)) return true;
  if (['0', 'false'].includes(value)) return false;
  throw invalid(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
}
