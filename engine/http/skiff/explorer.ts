/** Looking into images (`api/skiff-v1.yaml`). */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Explorer, FoundFile } from '../../explorer/explorer.ts';
import type { Image } from '../../images/image.ts';
import type { Images } from '../../images/images.ts';
import { invalid } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { byteQuery } from './byte-query.ts';
import { byteRange } from './byte-range.ts';
import { entityTagOf, hasIt, lastingAnswer, notModified, setEntityTag } from './lasting-answer.ts';
import { boundedInteger, pageOffset, wordOf } from './numbers.ts';

interface Needs {
  readonly images: Images;
  readonly explorer: Explorer;
}

const mostNodes = 2_000;

export function explorerRoutes(parts: Needs): readonly Route[] {
  const { images, explorer } = parts;
  const about = (what: string, make: (image: Image, exchange: Exchange) => Promise<unknown>): Route => ({
    method: 'GET',
    path: `/skiff/v1/images/*name/${what}`,
    async handle(exchange) {
      const image = images.resolve(exchange.param('name'));
      await lastingAnswer(exchange, [image.id], () => make(image, exchange));
    },
  });
  return [
    about('layers', (image, { signal }) => explorer.layers(image, signal)),
    about('tree', (image, exchange) => explorer.tree(image, treeRequest(exchange), exchange.signal)),
    about('waste', (image, exchange) => {
      const limit = boundedInteger(exchange, 'limit', { least: 0, most: mostNodes, otherwise: 50 });
      return explorer.waste(image, limit, exchange.signal);
    }),
    { method: 'GET', path: '/skiff/v1/images/*name/file', handle: (exchange) => sendFile(parts, exchange) },
    { method: 'HEAD', path: '/skiff/v1/images/*name/file', handle: (exchange) => sendFile(parts, exchange) },
    { method: 'GET', path: '/skiff/v1/compare', handle: (exchange) => compare(parts, exchange) },
  ];
}

function treeRequest(exchange: Exchange): Parameters<Explorer['tree']>[1] {
  return {
    path: byteQuery(exchange.request.url ?? '', 'path') ?? '',
    layer: exchange.integer('layer'),
    view: wordOf(exchange, 'view', ['merged', 'layer']),
    depth: boundedInteger(exchange, 'depth', { least: 1, most: 64, otherwise: 1 }),
    sort: wordOf(exchange, 'sort', ['name', 'size', 'modified']),
    offset: pageOffset(exchange),
    limit: boundedInteger(exchange, 'limit', { least: 1, most: mostNodes, otherwise: 1_000 }),
  };
}

async function compare({ images, explorer }: Needs, exchange: Exchange): Promise<void> {
  const named = (side: 'from' | 'to'): Image => {
    const name = exchange.query.get(side) ?? '';
    if (name === '') throw invalid(`${side} is missing: compare needs the names of two images, from and to`);
    return images.resolve(name);
  };
  const [from, to] = [named('from'), named('to')];
  const limit = boundedInteger(exchange, 'limit', { least: 0, most: mostNodes, otherwise: 1_000 });
  const page = { offset: pageOffset(exchange), limit };
  await lastingAnswer(exchange, [from.id, to.id], () => explorer.compare({ from, to }, page, exchange.signal));
}

async function sendFile({ images, explorer }: Needs, exchange: Exchange): Promise<void> {
  const image = images.resolve(exchange.param('name'));
  const path = byteQuery(exchange.request.url ?? '', 'path');
  if (path === null) throw invalid('path is missing: which file?');
  const entityTag = entityTagOf(exchange, [image.id]);
  if (hasIt(exchange, entityTag)) return notModified(exchange, entityTag);
  using file = await explorer.file(image, { path, layer: exchange.integer('layer') }, exchange.signal);
  setEntityTag(exchange, entityTag);
  await answerFile(exchange, file);
}

async function answerFile(exchange: Exchange, { fd, sizeBytes }: FoundFile): Promise<void> {
  const { response, request } = exchange;
  const range = byteRange(request.headers.range, sizeBytes);
  const content = createReadStream('', {
    fd,
    ...(range.kind === 'part' ? { start: range.first, end: range.last } : { start: 0 }),
  });
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  if (range.kind === 'none') response.setHeader('Content-Range', `bytes */${sizeBytes}`);
  if (range.kind === 'part') response.setHeader('Content-Range', `bytes ${range.first}-${range.last}/${sizeBytes}`);
  const length = range.kind === 'none' ? 0 : range.kind === 'part' ? range.last - range.first + 1 : sizeBytes;
  const status = { all: 200, part: 206, none: 416 }[range.kind];
  response.writeHead(status, { 'Content-Length': length });
  if (range.kind === 'none' || request.method === 'HEAD') {
    content.destroy();
    response.end();
    return;
  }
  try {
    await pipeline(content, response);
  } catch (error) {
    // A client that has seen enough goes away.
    if (!exchange.signal.aborted) throw error;
  }
}
