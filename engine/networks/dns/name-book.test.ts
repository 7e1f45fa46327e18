import { expect, it } from 'vitest';
import { newContainerId, newNetworkId } from '../../model/ids.ts';
import { NameBook } from './name-book.ts';
import type { NamedContainer, NamedEndpoint } from './named-container.ts';

const network = newNetworkId();

function container(...endpoints: readonly Partial<NamedEndpoint>[]): NamedContainer {
  const base = { networkId: network, networkName: 'a.net', addresses: [], names: [], links: {} };
  return {
    containerId: newContainerId(),
    netnsPath: '',
    endpoints: endpoints.map((endpoint) => ({ ...base, ...endpoint })),
    upstream: { kind: 'host' },
    asksForDomains: false,
  };
}

it('cuts a name with dots in every way, the longest container name first', () => {
  const book = new NameBook();
  const client = container({ names: ['client'] });
  book.put(client);
  book.put(container({ names: ['web.one'], addresses: ['10.0.0.1'] }));
  book.put(container({ names: ['web.one.a.net'], addresses: ['10.0.0.2'] }));
  const asked = (name: string) => book.addressesOf(client.containerId, name);
  expect([asked('web.one'), asked('web.one.a.net'), asked('web'), asked('web.one.net')]).toEqual([
    ['10.0.0.1'],
    ['10.0.0.2'],
    null,
    null,
  ]);
});

it('takes a link before a container of the same name, and the name when the link leads nowhere', () => {
  const book = new NameBook();
  const client = container({ links: { db: 'postgres', cache: 'gone' } });
  book.put(client);
  book.put(container({ names: ['postgres'], addresses: ['10.0.0.1'] }));
  book.put(container({ names: ['db'], addresses: ['10.0.0.2'] }));
  book.put(container({ names: ['cache'], addresses: ['10.0.0.3'] }));
  expect(book.addressesOf(client.containerId, 'DB')).toEqual(['10.0.0.1']);
  expect(book.addressesOf(client.containerId, 'cache')).toEqual(['10.0.0.3']);
});

it('gives all addresses of a shared name, and forgets those of one that went', () => {
  const book = new NameBook();
  const client = container({ names: ['client'] });
  const [one, two] = [
    container({ names: ['x'], addresses: ['10.0.0.1'] }),
    container({ names: ['X'], addresses: ['10.0.0.2', 'fd00::2'] }),
  ];
  for (const each of [client, one, two]) book.put(each);
  expect(book.addressesOf(client.containerId, 'x')).toEqual(['10.0.0.1', '10.0.0.2', 'fd00::2']);
  expect(book.nameOf(client.containerId, 'fd00::2')).toBe('X.a.net');
  book.drop(one.containerId);
  book.put({ ...two, endpoints: [] });
  expect(book.addressesOf(client.containerId, 'x')).toBeNull();
  expect(book.nameOf(client.containerId, 'fd00::2')).toBeNull();
});
