/** What people do to images on one computer: in and out by archives, from containers, and looking at many. */
import { createReadStream, createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { encodeEntry, endOfArchive } from '../api/tar/writer.ts';
import type { Bench, Contender, Measurement } from './contender.ts';
import { debianImage, recipes, sha256 } from './debian-images.ts';
import { create, inTurns, remove, request, start, withEngines } from './engines.ts';
import { settleDisks } from './own-disk.ts';
import type { Work } from './samples.ts';

const rounds = { rounds: 5, warmUp: 1 };
const manyImages = 500;

export function imagesBench(): Bench {
  return {
    name: 'images',
    title: 'Load, save, commit, export, import and list images',
    run: (tell) =>
      withEngines(tell, async (both) => {
        const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-images-'));
        try {
          return await measure(both, folder, tell);
        } finally {
          rmSync(folder, { recursive: true });
        }
      }),
  };
}

async function measure(
  both: readonly Contender[],
  folder: string,
  tell: (line: string) => void,
): Promise<readonly Measurement[]> {
  const archive = path.join(folder, 'twelve.tar');
  await pipeline(archiveOf(), createWriteStream(archive));
  tell('the archive is written');
  const load = async (contender: Contender): Promise<void> => {
    await exchange(contender, 'POST', '/images/load?quiet=1', archive);
  };
  const loads = await inTurns(
    'load: 283 MB in 12 layers',
    both,
    async (contender): ReturnType<Work> => {
      await load(contender);
      return () => removeImage(contender, 'bench:twelve');
    },
    rounds,
  );
  for (const contender of both) await load(contender);
  const saves = await inTurns(
    'save: the same',
    both,
    (contender) => exchange(contender, 'GET', '/images/bench:twelve/get'),
    rounds,
  );
  for (const contender of both) await request(contender, 'DELETE', '/images/bench:twelve?force=1');
  const root = path.join(folder, 'root.tar');
  await pipeline(rootOf(), createWriteStream(root));
  return [loads, saves, ...(await ofContainers(both, root)), await listing(both, folder)];
}

/** A container that has written 50 MB into 2,000 files. */
async function ofContainers(both: readonly Contender[], root: string): Promise<readonly Measurement[]> {
  const ids = new Map<Contender, string>();
  const script = 'mkdir /made; i=0; while [ $i -lt 2000 ]; do head -c 25000 /dev/urandom > /made/$i; i=$((i+1)); done';
  for (const contender of both) {
    const id = await create(contender, { Cmd: ['sh', '-c', script] });
    const ended = request(contender, 'POST', `/containers/${id}/wait?condition=next-exit`);
    await start(contender, id);
    await ended;
    ids.set(contender, id);
  }
  const idOf = (contender: Contender): string => ids.get(contender) ?? '';
  const commits = await inTurns(
    'commit: 50 MB in 2,000 files',
    both,
    async (contender): ReturnType<Work> => {
      await request(contender, 'POST', `/commit?container=${idOf(contender)}&repo=bench&tag=made`, {});
      return () => removeImage(contender, 'bench:made');
    },
    rounds,
  );
  const exports = await inTurns(
    'export: the same container',
    both,
    (contender) => exchange(contender, 'GET', `/containers/${idOf(contender)}/export`),
    rounds,
  );
  const imports = await inTurns(
    'import: 94 MB in one layer',
    both,
    async (contender): ReturnType<Work> => {
      await exchange(contender, 'POST', '/images/create?fromSrc=-&repo=bench&tag=imported', root);
      return () => removeImage(contender, 'bench:imported');
    },
    rounds,
  );
  for (const contender of both) await remove(contender, idOf(contender));
  return [commits, exports, imports];
}

/** So many images of one layer, told apart by their configs. */
async function listing(both: readonly Contender[], folder: string): Promise<Measurement> {
  const layer = Buffer.concat([encodeEntry({ kind: 'directory', name: Buffer.from('x/'), mode: 0o755 }), endOfArchive]);
  const entries = Array.from({ length: manyImages }, (_, index) => ({
    config: config([sha256(layer)], index),
    tag: `many:${index}`,
  }));
  const manifest = entries.map(({ tag }, index) => ({
    Config: `${index}.json`,
    RepoTags: [tag],
    Layers: ['layer.tar'],
  }));
  const file = path.join(folder, 'many.tar');
  writeFileSync(
    file,
    Buffer.concat([
      entry('layer.tar', layer),
      ...entries.map(({ config }, index) => entry(`${index}.json`, config)),
      entry('manifest.json', Buffer.from(JSON.stringify(manifest))),
      endOfArchive,
    ]),
  );
  for (const contender of both) await exchange(contender, 'POST', '/images/load?quiet=1', file);
  return await inTurns(
    `list: ${manyImages} images`,
    both,
    async (contender) => void (await request(contender, 'GET', '/images/json')),
    { rounds: 30, warmUp: 5 },
  );
}

async function removeImage(contender: Contender, name: string): Promise<void> {
  await request(contender, 'DELETE', `/images/${name}?force=1`);
  settleDisks();
}

/** As `docker save` wrote it for long: layers as plain tars. */
async function* archiveOf(): AsyncGenerator<Buffer, void, void> {
  const image = debianImage(recipes.twelve);
  for (const [index, { file }] of image.layers.entries()) yield entry(`${index}/layer.tar`, await inflated(file));
  yield entry('config.json', image.config);
  const Layers = image.layers.map((_, index) => `${index}/layer.tar`);
  yield entry(
    'manifest.json',
    Buffer.from(JSON.stringify([{ Config: 'config.json', RepoTags: ['bench:twelve'], Layers }])),
  );
  yield endOfArchive;
}

async function* rootOf(): AsyncGenerator<Buffer, void, void> {
  for (const { file } of debianImage(recipes.forty).layers) {
    const tar = await inflated(file);
    // Without the blocks that end it: the next layer's entries follow.
    const end = tar.findLastIndex((byte) => byte !== 0);
    yield tar.subarray(0, Math.ceil((end + 1) / 512) * 512);
  }
  yield endOfArchive;
}

async function inflated(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) chunks.push(chunk);
  return gunzipSync(Buffer.concat(chunks));
}

function config(diffIds: readonly string[], index: number): Buffer {
  const document = { architecture: 'amd64', os: 'linux', config: { Labels: { index: String(index) } } };
  return Buffer.from(JSON.stringify({ ...document, rootfs: { type: 'layers', diff_ids: diffIds } }));
}

function entry(name: string, content: Buffer): Buffer {
  return encodeEntry({ kind: 'file', name: Buffer.from(name), mode: 0o644 }, content);
}

/** Sends a file, or nothing; reads the answer to its end and drops it. Throws what it says when it fails. */
async function exchange(contender: Contender, method: string, target: string, body?: string): Promise<void> {
  const sent = http.request({
    socketPath: contender.socket,
    method,
    path: `/v1.44${target}`,
    headers: { 'Content-Type': 'application/x-tar' },
  });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) =>
    sent.once('response', resolve).once('error', reject),
  );
  if (body === undefined) sent.end();
  else await pipeline(createReadStream(body, { highWaterMark: 256 * 1024 }), sent);
  const answer = await answered;
  let last: Buffer = Buffer.alloc(0);
  const drop = new Writable({
    write(chunk: Buffer, _encoding, done) {
      last = chunk;
      done();
    },
  });
  await pipeline(answer, drop);
  if ((answer.statusCode ?? 500) >= 400 || last.includes('"errorDetail"'))
    throw new Error(`${method} ${target} on ${contender.name}: ${last.toString('utf8', 0, 500)}`);
}
