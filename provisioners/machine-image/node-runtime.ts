/**
 * The Node runtime that the image carries: the official Linux binary out of npm's package for the architecture, the same
 * version as this checkout's own `node`, checked against the registry's integrity and stripped of its symbol table.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { z } from 'zod';
import { MachineError } from '../machines.ts';
import { noteUse } from './note-use.ts';
import { runProgram } from './programs.ts';
import { type Architecture, architectureNames } from './recipe.ts';

/** Contents of `/usr/lib/skiff/node/runtime.json`, by which a deployment tells whether it must bring a runtime of its own. */
export interface NodeRuntime {
  readonly version: string;
  /** SHA-256 of `bin/node` as it lies in npm's package. */
  readonly sourceSha256: string;
  /** SHA-256 of `bin/node` in the image. */
  readonly sha256: string;
}

/** Version of the `node` development dependency of this checkout. */
export async function checkoutNodeVersion(): Promise<string> {
  try {
    const path = createRequire(import.meta.url).resolve('node/package.json');
    return z.object({ version: z.string() }).parse(JSON.parse(await readFile(path, 'utf8'))).version;
  } catch (error) {
    throw new MachineError('image-unavailable', 'The checkout has no `node` package; run `npm install` first.', {
      cause: error,
    });
  }
}

/** Puts `bin/node` and `runtime.json` into `folder`. `work` is a folder for what is in between. */
export async function installNodeRuntime(options: {
  readonly version: string;
  readonly arch: Architecture;
  readonly folder: string;
  readonly work: string;
  readonly strip: string;
  readonly signal: AbortSignal;
}): Promise<NodeRuntime> {
  const { version, arch, folder, work, signal } = options;
  const unpacked = await fetchNodePackage({ version, arch, work, signal });
  const source = join(unpacked, 'bin/node');
  await mkdir(join(folder, 'bin'), { recursive: true });
  const target = join(folder, 'bin/node');
  await runProgram({
    program: options.strip,
    arguments: ['--strip-all', '-o', target, source],
    timeoutMs: 120_000,
    signal,
  });
  // Readable beside the binary wherever it goes: the terms under which it is given on.
  await copyFile(join(unpacked, 'LICENSE'), join(folder, 'LICENSE'));
  const runtime: NodeRuntime = {
    version,
    sourceSha256: await sha256OfFile(source),
    sha256: await sha256OfFile(target),
  };
  await writeFile(join(folder, 'runtime.json'), `${JSON.stringify(runtime)}\n`);
  return runtime;
}

/** Where the binaries lie that hosts are brought, some 120 MB each: one for each version and architecture. */
export const runtimesFolder = (cacheDir: string): string => join(cacheDir, 'node');

/** Path of the official binary for an architecture, kept in the cache between runs; its symbol table stays, for `strip` may not know the architecture. */
export async function provideNodeBinary(options: {
  readonly version: string;
  readonly arch: Architecture;
  readonly cacheDir: string;
}): Promise<string> {
  const { version, arch, cacheDir } = options;
  const name = `node-${version}-linux-${architectureNames[arch].npm}`;
  const file = join(runtimesFolder(cacheDir), name);
  if (existsSync(file)) {
    await noteUse(file);
    return file;
  }
  const work = join(runtimesFolder(cacheDir), `${name}.${process.pid}.new`);
  try {
    const signal = AbortSignal.timeout(15 * 60_000);
    const unpacked = await fetchNodePackage({ version, arch, work, signal });
    await rename(join(unpacked, 'bin/node'), file);
    return file;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** npm's own client fetches it (mirrors, proxies and credentials are its business); the integrity is checked here once more. */
async function fetchNodePackage({
  version,
  arch,
  work,
  signal,
}: {
  version: string;
  arch: Architecture;
  work: string;
  signal: AbortSignal;
}): Promise<string> {
  const specification = `node-linux-${architectureNames[arch].npm}@${version}`;
  await mkdir(work, { recursive: true });
  const npm = (parameters: readonly string[]): Promise<Buffer> =>
    runProgram({ program: 'npm', arguments: parameters, cwd: work, timeoutMs: 10 * 60_000, signal });
  const integrity = z
    .string()
    .startsWith('sha512-')
    .parse(JSON.parse((await npm(['view', specification, 'dist.integrity', '--json'])).toString()));
  const [packed] = z
    .array(z.object({ filename: z.string() }))
    .length(1)
    .parse(JSON.parse((await npm(['pack', specification, '--json', '--pack-destination', work])).toString()));
  const archive = join(work, packed?.filename ?? '');
  const found = `sha512-${await digestOfFile({ path: archive, algorithm: 'sha512', encoding: 'base64' })}`;
  if (found !== integrity) {
    await rm(archive, { force: true });
    throw new MachineError(
      'image-corrupt',
      `npm's package ${specification} does not have the digest that the registry names.`,
    );
  }
  await runProgram({
    program: 'tar',
    arguments: ['-xzf', archive, '-C', work, '--no-same-owner'],
    timeoutMs: 120_000,
    signal,
  });
  await rename(join(work, 'package'), join(work, 'node'));
  return join(work, 'node');
}

export async function sha256OfFile(path: string): Promise<string> {
  return digestOfFile({ path, algorithm: 'sha256', encoding: 'hex' });
}

async function digestOfFile({
  path,
  algorithm,
  encoding,
}: {
  path: string;
  algorithm: string;
  encoding: 'hex' | 'base64';
}): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest(encoding);
}
