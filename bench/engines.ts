/** skiffd and dockerd side by side, with the same image, and ways to talk to them. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { shareBoxImage } from '../test/differential/box-image.ts';
import { userCache } from '../test/peers/debian-packages.ts';
import { startDockerd } from '../test/peers/dockerd.ts';
import type { Contender, Measurement } from './contender.ts';
import { openOwnDisk } from './own-disk.ts';
import { takeTurns, type Work } from './samples.ts';
import { startSkiffd } from './skiffd.ts';

/** Runs `body` with both engines up, an image `box` (busybox) in each; ends them afterwards. */
export async function withEngines(
  tell: (line: string) => void,
  body: (contenders: readonly Contender[]) => Promise<readonly Measurement[]>,
): Promise<readonly Measurement[]> {
  using disk = openOwnDisk();
  using otherDisk = openOwnDisk();
  await using skiffd = await disk.with(startSkiffd);
  tell(`skiffd ${skiffd.version} is up`);
  await using dockerd = await otherDisk.with(() => startDockerd(userCache()));
  tell(`dockerd ${dockerd.version} is up`);
  shareBoxImage({ skiffd: skiffd.socket, dockerd: dockerd.socket });
  return await body([skiffd, dockerd]);
}

/** The same work on each contender, in turns. */
export async function inTurns(
  what: string,
  contenders: readonly Contender[],
  work: (contender: Contender) => ReturnType<Work>,
  options: { readonly rounds?: number; readonly warmUp?: number; readonly note?: string } = {},
): Promise<Measurement> {
  const { rounds = 20, warmUp = 3, note } = options;
  const samples = await takeTurns({
    contenders: Object.fromEntries(contenders.map((contender) => [contender.name, () => work(contender)])),
    rounds,
    warmUp,
  });
  return { what, samples, baseline: 'dockerd', ...(note === undefined ? {} : { note }) };
}

/** The real docker CLI; throws when it fails. */
export function docker(contender: Contender, ...words: readonly string[]): Promise<string> {
  const child = spawn('docker', ['-H', `unix://${contender.socket}`, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complained = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve(said)
        : reject(new Error(`docker ${words.join(' ')} on ${contender.name}: exit ${code}: ${complained}`)),
    );
  });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

export function request(contender: Contender, method: string, target: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      'Content-Length': Buffer.byteLength(text),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
    const sent = http.request(
      { socketPath: contender.socket, method, path: `/v1.44${target}`, headers, agent },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 500) < 400) resolve(answer);
          else reject(new Error(`${method} ${target} on ${contender.name}: ${answer}`));
        });
      },
    );
    sent.once('error', reject);
    sent.end(text);
  });
}

export async function create(contender: Contender, body: object): Promise<string> {
  return (
    JSON.parse(await request(contender, 'POST', '/containers/create', { Image: 'box', ...body })) as { Id: string }
  ).Id;
}

export const start = (contender: Contender, id: string): Promise<string> =>
  request(contender, 'POST', `/containers/${id}/start`);

export const remove = (contender: Contender, id: string): Promise<string> =>
  request(contender, 'DELETE', `/containers/${id}?force=1`);

/** Memory of the engine's own processes, shared pages divided among those who share them (source: proc_pid_smaps_rollup(5)). */
export function proportionalMegabytes(contender: Contender): number {
  return (
    contender
      .pids()
      .map((pid) => Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0))
      .reduce((sum, kilobytes) => sum + kilobytes, 0) / 1024
  );
}

/** Processor time that the engine's own processes have used so far, in milliseconds (source: proc_pid_stat(5), utime and stime). */
export function processorMs(contender: Contender): number {
  return contender
    .pids()
    .map((pid) => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    })
    .reduce((sum, milliseconds) => sum + milliseconds, 0);
}
