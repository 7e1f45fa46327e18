import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { EngineClient } from '../../client/engine-client.ts';
import { tarMember } from '../machine-image/tar.ts';
import { MachineError } from '../machines.ts';
import type { Line } from '../line/line.ts';
import { shellQuote } from '../line/line.ts';
import type { EngineRelease } from './engine-release.ts';
import type { MachineLayout } from './machine-layout.ts';
import {
  assembleScript,
  inspectScript,
  logSinceSwitchScript,
  pruneScript,
  runningReleaseScript,
  storeObjectsScript,
  switchScript,
} from './remote-script.ts';
import { runScript } from './run-script.ts';

/**
 * Brings a release of the engine into a machine over SSH and makes it the one that runs:
 *
 *     ask what is there -> send what is missing -> put the release together beside the others -> switch `current` -> restart
 *     -> wait until the new engine answers -> else switch back -> remove what nobody needs
 *
 * Each step can be cut off at any moment: what is half made has a name that nothing looks at, and the next deployment
 * begins anew. Containers go on: only skiffd restarts, their monitor does not.
 */
export interface Deployment {
  /** Its commands run as root. */
  readonly line: Line;
  readonly layout: MachineLayout;
  readonly release: EngineRelease;
  /** Null: the runtime that the machine image brought. */
  readonly node: WantedNode | HostNode | null;
  /** Which group may use the engine's socket beside root: a number or a name; null: nobody. */
  readonly group?: string | null;
  readonly signal: AbortSignal;
  readonly tell: (progress: { readonly fraction?: number; readonly detail?: string }) => void;
  /** How long the new engine may take until it answers; its very first start on a busy emulated machine takes half a minute. */
  readonly answerTimeoutMs?: number;
}

/** The Node runtime that the engine is to run on: the binary of npm's package, and its digest. */
export interface WantedNode {
  readonly version: string;
  readonly sha256: string;
  /** Asked for only when the machine does not have it. */
  readonly file: () => Promise<string>;
}

/** The host's own Node, where there is no runtime of ours for it. */
export interface HostNode {
  readonly path: string;
}

export interface Deployed {
  /** Name of the release in the machine. */
  readonly release: string;
  readonly engineVersion: string;
  /** False when that release ran already. */
  readonly isNew: boolean;
  readonly sentBytes: number;
}

export async function deployEngine(deployment: Deployment): Promise<Deployed> {
  const { line, layout, release, signal, tell } = deployment;
  const { manifest } = release;
  tell({ detail: 'looking at what is there' });
  const found = await inspect(deployment);
  const machineArch = { x86_64: 'x64', aarch64: 'arm64' }[found.machine] ?? found.machine;
  if (machineArch !== manifest.arch) {
    throw new MachineError(
      'deploy-failed',
      `The machine's processor is ${found.machine}, this engine is made for ${manifest.arch}`,
    );
  }
  const node = await provideNode(deployment, found);
  const script = runScript({ layout, node: node.path, group: deployment.group ?? null });
  const name = createHash('sha256').update(`${release.digest}\n${script}`).digest('hex').slice(0, 32);
  // After a boot the machine's own service is just starting it.
  const isCurrent = found.current === name;
  if (isCurrent) tell({ detail: 'waiting for the engine' });
  if (
    isCurrent &&
    (await waitForAnswer(deployment, { name, version: manifest.engineVersion, since: 'boot' })) === null
  ) {
    return { release: name, engineVersion: manifest.engineVersion, isNew: false, sentBytes: node.sentBytes };
  }
  const sentBytes = node.sentBytes + (await sendObjects(deployment, found.objects));
  await line.check(assembleScript({ layout, release: name, files: manifest.files, runScript: script }), {
    signal,
    timeoutMs: 60_000,
  });
  tell({ detail: 'starting the engine' });
  await switchTo(deployment, { name, previous: found.current });
  const keep = found.current === null ? [name] : [name, found.current];
  await line.check(pruneScript(layout, keep), { signal, timeoutMs: 60_000 });
  return { release: name, engineVersion: manifest.engineVersion, isNew: true, sentBytes };
}

interface Found {
  readonly machine: string;
  /** Release that `current` leads to. */
  readonly current: string | null;
  readonly objects: ReadonlySet<string>;
  /** Digest of the runtime that came with the system. */
  readonly systemNode: string | null;
  readonly nodes: readonly string[];
}

const runtimeSchema = z.object({ sourceSha256: z.string() });

async function inspect({ line, layout, release, signal }: Deployment): Promise<Found> {
  const digests = release.manifest.files.map(({ sha256 }) => sha256);
  const answer = await line.check(inspectScript(layout, digests), { signal });
  const values = (key: string): string[] =>
    answer.split('\n').flatMap((line) => (line.startsWith(`${key} `) ? [line.slice(key.length + 1).trim()] : []));
  const runtime = values('runtime')[0];
  return {
    machine: values('arch')[0] ?? 'unknown',
    current: values('current')[0] ?? null,
    objects: new Set(values('object')),
    systemNode: runtime === undefined ? null : runtimeSchema.parse(JSON.parse(runtime)).sourceSha256,
    nodes: values('node'),
  };
}

/** Path of the runtime in the machine; it is sent when neither the system's nor an earlier one is the wanted one. */
async function provideNode(
  deployment: Deployment,
  found: Found,
): Promise<{ readonly path: string; readonly sentBytes: number }> {
  const { line, layout, node, signal, tell } = deployment;
  if (node !== null && 'path' in node) return { path: node.path, sentBytes: 0 };
  if (node === null || node.sha256 === found.systemNode) {
    if (found.systemNode === null)
      throw new MachineError('deploy-failed', 'The machine has no Node runtime and none was given');
    return { path: `${layout.systemRuntime}/bin/node`, sentBytes: 0 };
  }
  const relative = `node/${node.sha256}/bin/node`;
  const path = `${layout.deployFolder}/${relative}`;
  if (found.nodes.includes(relative)) return { path, sentBytes: 0 };
  const file = await node.file();
  const { size } = await stat(file);
  const incoming = `${layout.deployFolder}/node/incoming.gz`;
  await line.check(`mkdir -p ${shellQuote(`${layout.deployFolder}/node`)}`, { signal });
  // A hundred megabytes: sent compressed, and unpacked as it comes in.
  let readBytes = 0;
  const source = createReadStream(file, { highWaterMark: 256 * 1024 });
  source.on('data', (chunk) => {
    readBytes += chunk.length;
    tell({ fraction: readBytes / size, detail: `Node ${node.version}: ${mega(readBytes)} of ${mega(size)} MB` });
  });
  const sentBytes = await line.pipeInto(source.pipe(createGzip({ level: 1 })), {
    command: `gunzip -c > ${shellQuote(incoming)}`,
    signal,
  });
  await line.check(
    [
      `cd ${shellQuote(`${layout.deployFolder}/node`)} || exit 1`,
      `echo "${node.sha256}  incoming.gz" | sha256sum -c - >&2 || { echo "the Node runtime arrived damaged" >&2; exit 1; }`,
      `mkdir -p ${node.sha256}/bin && chmod 0755 incoming.gz && sync incoming.gz && mv incoming.gz ${node.sha256}/bin/node && sync ${node.sha256}/bin ${node.sha256} .`,
    ].join('\n'),
    { signal, timeoutMs: 120_000 },
  );
  return { path, sentBytes };
}

async function sendObjects(deployment: Deployment, present: ReadonlySet<string>): Promise<number> {
  const { line, layout, release, signal, tell } = deployment;
  const missing = new Map(
    release.manifest.files.filter(({ sha256 }) => !present.has(sha256)).map((file) => [file.sha256, file]),
  );
  if (missing.size === 0) return 0;
  const members = await Promise.all(
    [...missing].map(async ([sha256, { path }]) => {
      const data = await readFile(join(release.filesFolder, path));
      if (createHash('sha256').update(data).digest('hex') !== sha256)
        throw new MachineError('deploy-failed', `The engine was built anew while it was sent (${path}); try again`);
      return tarMember({ name: sha256, mode: 0o644, data });
    }),
  );
  const archive = gzipSync(Buffer.concat([...members.flat(), Buffer.alloc(1024)]), { level: 6 });
  const command = storeObjectsScript(layout, [...missing.keys()]);
  return await line.pipeInto(Readable.from(slices(archive)), {
    command,
    signal,
    onSent: (sent) => tell({ fraction: sent / archive.length, detail: `${mega(sent)} of ${mega(archive.length)} MB` }),
  });
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 64 * 1024) yield bytes.subarray(offset, offset + 64 * 1024);
}

async function switchTo(
  deployment: Deployment,
  target: { readonly name: string; readonly previous: string | null },
): Promise<void> {
  const { line, layout, signal } = deployment;
  const { name, previous } = target;
  await line.check(switchScript(layout, name), { signal });
  const trouble = await waitForAnswer(deployment, {
    name,
    version: deployment.release.manifest.engineVersion,
    since: 'switch',
  });
  if (trouble === null) return;
  const log = (await line.check(logSinceSwitchScript(layout, name), { signal }))
    .trim()
    .split('\n')
    .slice(-20)
    .join('\n');
  let back = 'There was no earlier release to go back to.';
  if (previous !== null && previous !== name) {
    await line.check(switchScript(layout, previous), { signal });
    const stillTrouble = await waitForAnswer(deployment, { name: previous, version: null, since: 'switch' });
    back =
      stillTrouble === null
        ? 'The earlier release runs again.'
        : `The earlier release does not answer either: ${stillTrouble}.`;
  }
  throw new MachineError(
    'deploy-failed',
    `The new engine did not come up: ${trouble}. ${back}${log === '' ? '' : `\nIts log ended with:\n${log}`}`,
  );
}

interface ExpectedRelease {
  readonly name: string;
  /** Null for an earlier release, whose version nobody here knows. */
  readonly version: string | null;
  /** Who started it: this deployment, or the machine's service when it booted. */
  readonly since: 'switch' | 'boot';
}

/** Null when the release answers; else what was wrong last. */
async function waitForAnswer(deployment: Deployment, expected: ExpectedRelease): Promise<string | null> {
  const { signal, answerTimeoutMs = 120_000 } = deployment;
  const deadline = performance.now() + answerTimeoutMs;
  for (;;) {
    const trouble = await lookForAnswer(deployment, expected);
    if (trouble === null) return null;
    if (trouble.isFinal || performance.now() >= deadline) return trouble.why;
    if (expected.since === 'switch' && (await countFailedStarts(deployment, expected.name)) >= hopelessStarts)
      return `it ended ${hopelessStarts} times at once`;
    await delay(100, undefined, { signal });
  }
}

/** An engine that ends this often right after its start will not come up; waiting longer only delays the way back. */
const hopelessStarts = 3;

async function countFailedStarts({ line, layout, signal }: Deployment, name: string): Promise<number> {
  const log = await line.check(logSinceSwitchScript(layout, name), { signal });
  // As the machine's engine-service writes it.
  return log.split('\n').filter((line) => line.startsWith('skiff: the engine ended with code')).length;
}

interface Trouble {
  readonly why: string;
  /** Waiting changes nothing. */
  readonly isFinal: boolean;
}

async function lookForAnswer(deployment: Deployment, expected: ExpectedRelease): Promise<Trouble | null> {
  const { line, layout, signal } = deployment;
  const { name, version: expectedVersion } = expected;
  try {
    using engine = new EngineClient((dialSignal) => line.dialUnix(layout.engineSocket, dialSignal), {
      timeoutMs: 10_000,
    });
    await engine.ping({ signal });
    const { Version } = await engine.version({ signal });
    // The old engine may answer until it has ended.
    const running = (await line.check(runningReleaseScript(layout), { signal })).trim();
    if (!running.endsWith(`/releases/${name}`))
      return { why: `another release still answers (${running || 'its process is not known'})`, isFinal: false };
    const wanted = expectedVersion ?? Version;
    return Version === wanted ? null : { why: `it says that it is version ${Version}, not ${wanted}`, isFinal: true };
  } catch (error) {
    signal.throwIfAborted();
    if (!line.isOpen) throw error;
    return { why: error instanceof Error ? error.message : String(error), isFinal: false };
  }
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
