/** Folders of the user's computer (`api/shares/shares.ts`): what is shared, and the stream that it comes over. */
import type { ShareList, SharedFolder } from '../../../api/shares/shares.ts';
import type { Parts } from '../../containers/parts.ts';
import { invalid } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';
import { Fields } from '../fields.ts';
import { hijack } from '../hijack.ts';
import type { Route } from '../router.ts';

export function shareRoutes({ shares }: Pick<Parts, 'shares'>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/skiff/v1/shares',
      handle: (exchange) => Promise.resolve(exchange.json(200, shares.list satisfies ShareList)),
    },
    {
      method: 'PUT',
      path: '/skiff/v1/shares',
      handle: async (exchange) => {
        await shares.configure(readList(new Fields('ShareList', await exchange.body())));
        exchange.json(200, shares.list satisfies ShareList);
      },
    },
    {
      method: 'POST',
      path: '/skiff/v1/shares/attach',
      upgrades: 'tcp',
      handle: (exchange: Exchange) => shares.attach(hijack(exchange, { isFramed: false })),
    },
  ];
}

function readList(body: Fields): ShareList {
  const whenMissing = body.text('whenMissing');
  if (whenMissing !== 'make' && whenMissing !== 'refuse')
    throw invalid(`whenMissing must be "make" or "refuse", not ${JSON.stringify(whenMissing)}`);
  const folders = body.objects('folders').map((folder): SharedFolder => {
    const [id, path] = [folder.text('id'), folder.text('path')];
    if (!/^[a-z0-9]{1,32}$/.test(id))
      throw invalid(`a share's id has letters and digits, unlike ${JSON.stringify(id)}`);
    if (!isPlainPath(path))
      throw invalid(`a share's path is absolute and without "..", unlike ${JSON.stringify(path)}`);
    const device = folder.text('device');
    if (!/^[a-z0-9]{0,32}$/.test(device))
      throw invalid(`a share's device has letters and digits, unlike ${JSON.stringify(device)}`);
    return { id, path, isReadOnly: folder.flag('isReadOnly'), ...(device === '' ? {} : { device }) };
  });
  if (new Set(folders.map(({ id }) => id)).size < folders.length) throw invalid('two shares have the same id');
  return { folders, whenMissing, machine: body.text('machine') };
}

function isPlainPath(path: string): boolean {
  if (path === '/') return true;
  return (
    path.startsWith('/') &&
    path
      .slice(1)
      .split('/')
      .every((name) => !['', '.', '..'].includes(name))
  );
}
