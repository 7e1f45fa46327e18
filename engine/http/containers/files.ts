/** cp (`archive`), export and diff on the wire. */
import { pipeline } from 'node:stream/promises';
import { createDeflate, createGzip } from 'node:zlib';
import type { Container } from '../../containers/container.ts';
import {
  changedFiles,
  exportFiles,
  type FilePath,
  readFiles,
  statFile,
  writeFiles,
} from '../../containers/files/copy-files.ts';
import type { Parts } from '../../containers/parts.ts';
import { invalid } from '../../model/errors.ts';
import type { Change, PathStat } from '../../trees/trees.ts';
import type { Exchange } from '../exchange.ts';
import { sendFleeting } from '../fleeting-bytes.ts';
import type { Route } from '../router.ts';

export function fileRoutes(parts: Parts): readonly Route[] {
  const find = (exchange: Exchange): Container => parts.directory.find(exchange.param('id'));
  return [
    {
      method: 'HEAD',
      path: '/containers/:id/archive',
      async handle(exchange) {
        setStat(exchange, await statFile(parts, find(exchange), filePath(exchange)));
        exchange.response.writeHead(200, { 'Content-Length': 0 }).end();
      },
    },
    { method: 'GET', path: '/containers/:id/archive', handle: (exchange) => read(parts, exchange, find(exchange)) },
    { method: 'PUT', path: '/containers/:id/archive', handle: (exchange) => write(parts, exchange, find(exchange)) },
    {
      method: 'GET',
      path: '/containers/:id/export',
      async handle(exchange) {
        const content = await exportFiles(parts, find(exchange), exchange.signal);
        await send(exchange, content, 'application/octet-stream');
      },
    },
    {
      method: 'GET',
      path: '/containers/:id/changes',
      async handle(exchange) {
        const changes = await changedFiles(parts, find(exchange));
        exchange.json(200, changes.length === 0 ? null : changes.map(presentChange));
      },
    },
  ];
}

function filePath(exchange: Exchange): FilePath {
  const path = exchange.query.get('path') ?? '';
  if (path === '') throw invalid("bad parameter: 'path' cannot be empty");
  return { path, reference: exchange.param('id') };
}

async function read(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const { stat, content } = await readFiles(parts, container, { ...filePath(exchange), signal: exchange.signal });
  setStat(exchange, stat);
  await send(exchange, content, 'application/x-tar', encodingFor(exchange.request.headers['accept-encoding']));
}

async function write(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  await writeFiles(parts, container, {
    ...filePath(exchange),
    keepsKinds: exchange.flag('noOverwriteDirNonDir'),
    belongsToUser: exchange.flag('copyUIDGID'),
    content: exchange.request,
    signal: exchange.signal,
  });
  exchange.empty(200);
}

function setStat({ response }: Exchange, stat: PathStat): void {
  response.setHeader('X-Docker-Container-Path-Stat', Buffer.from(JSON.stringify(stat)).toString('base64'));
}

async function send(
  exchange: Exchange,
  content: AsyncIterable<Buffer>,
  type: string,
  encoding: 'gzip' | 'deflate' | null = null,
): Promise<void> {
  if (encoding !== null) exchange.response.setHeader('Content-Encoding', encoding);
  const response = exchange.startStream(type);
  try {
    if (encoding === null) await sendFleeting(response, content, exchange.signal);
    else await pipeline(lasting(content), encoding === 'gzip' ? createGzip() : createDeflate(), response);
  } catch (error) {
    // docker cp goes as soon as it has what it wants.
    if (!exchange.signal.aborted) throw error;
  }
}

/** The packer keeps pieces for longer than they are good. */
async function* lasting(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for await (const bytes of content) yield Buffer.from(bytes);
}

/** The best that the client asks for; null: as it is. */
export function encodingFor(header: string | readonly string[] | undefined): 'gzip' | 'deflate' | null {
  const wanted = String(header ?? '')
    .split(',')
    .map((item) => /^\s*([\w*-]+)\s*(?:;\s*q=([\d.]+))?\s*$/i.exec(item))
    .map((match) => ({ name: match?.[1]?.toLowerCase() ?? '', weight: Number(match?.[2] ?? 1) }));
  let best: { name: 'identity' | 'gzip' | 'deflate'; weight: number } = { name: 'identity', weight: 0 };
  for (const name of ['identity', 'gzip', 'deflate'] as const) {
    const weight = Math.max(
      0,
      ...wanted.filter((item) => item.name === name || item.name === '*').map((item) => item.weight),
    );
    if (weight > best.weight) best = { name, weight };
  }
  return best.name === 'identity' ? null : best.name;
}

const kinds: Readonly<Record<Change['kind'], number>> = { modified: 0, added: 1, deleted: 2 };

function presentChange({ path, kind }: Change): { readonly Path: string; readonly Kind: number } {
  return { Path: path, Kind: kinds[kind] };
}
