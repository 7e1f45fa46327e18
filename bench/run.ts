import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { Bench, Contender, Measurement } from './contender.ts';
import { startDockerd } from '../test/peers/dockerd.ts';
import { takeTurns } from './samples.ts';
import { startSkiffd } from './skiffd.ts';

const rounds = 20;
const warmUp = 3;

/** What people feel: a container that does nothing, from the command to its end. */
export function runBench(cacheFolder: string): Bench {
  return {
    name: 'run',
    title: 'Start, run and remove a container that does nothing',
    async run(tell) {
      await using skiffd = await startSkiffd();
      tell(`skiffd ${skiffd.version} is up`);
      await using dockerd = await startDockerd(cacheFolder);
      tell(`dockerd ${dockerd.version} is up`);
      await copyHello(skiffd, dockerd);
      const memory = residentMegabytes([skiffd, dockerd]);
      return [
        await cli('docker run --rm, default bridge', [skiffd, dockerd], []),
        await cli('docker run --rm --network none', [skiffd, dockerd], ['--network', 'none']),
        await cli('docker run --rm -p (a port published)', [skiffd, dockerd], ['-p', '127.0.0.1::80']),
        await api([skiffd, dockerd]),
        memory,
      ];
    },
  };
}

async function cli(what: string, contenders: readonly Contender[], flags: readonly string[]): Promise<Measurement> {
  const run = (contender: Contender) => () => docker(contender, ['run', '--rm', ...flags, 'hello', 'true']);
  const samples = await takeTurns({
    contenders: Object.fromEntries(contenders.map((contender) => [contender.name, run(contender)])),
    rounds,
    warmUp,
  });
  return { what, samples, baseline: 'dockerd' };
}

async function api(contenders: readonly Contender[]): Promise<Measurement> {
  const run = (contender: Contender) => async (): Promise<void> => {
    const post = (target: string, body?: object): Promise<string> => request(contender.socket, 'POST', target, body);
    const created = JSON.parse(await post('/containers/create', { Image: 'hello', Cmd: ['true'] })) as { Id: string };
    const ended = post(`/containers/${created.Id}/wait?condition=next-exit`);
    await post(`/containers/${created.Id}/start`);
    await ended;
    await request(contender.socket, 'DELETE', `/containers/${created.Id}`);
  };
  const samples = await takeTurns({
    contenders: Object.fromEntries(contenders.map((contender) => [contender.name, run(contender)])),
    rounds,
    warmUp,
  });
  return { what: 'API: create + start + wait + remove', samples, baseline: 'dockerd' };
}

/** The same image for both: skiffd makes it, dockerd imports its files. */
async function copyHello(skiffd: Contender, dockerd: Contender): Promise<void> {
  const busybox = execFileSync('tar', ['-c', '-C', '/', 'bin/busybox', '--transform', 's,bin/busybox,bin/true,'], {
    maxBuffer: 64 * 1024 * 1024,
  });
  const importing = spawn(
    'docker',
    ['-H', `unix://${dockerd.socket}`, 'import', '--change', 'ENV PATH=/bin', '--change', 'CMD ["true"]', '-', 'hello'],
    { stdio: ['pipe', 'ignore', 'inherit'] },
  );
  importing.stdin.end(busybox);
  const code = await new Promise((resolve) => importing.once('exit', resolve));
  if (code !== 0) throw new Error('dockerd could not import the image');
  await docker(skiffd, ['run', '--rm', 'hello', 'true']);
}

function docker(contender: Contender, words: readonly string[]): Promise<void> {
  const child = spawn('docker', ['-H', `unix://${contender.socket}`, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('exit', (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`docker ${words.join(' ')} on ${contender.name}: exit ${code}: ${said}`)),
    );
  });
}

const agent = new http.Agent({ keepAlive: true });

function request(socketPath: string, method: string, target: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      'Content-Length': Buffer.byteLength(text),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
    const sent = http.request({ socketPath, method, path: `/v1.44${target}`, headers, agent }, (response) => {
      let answer = '';
      response.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      response.on('end', () =>
        (response.statusCode ?? 500) < 400 ? resolve(answer) : reject(new Error(`${method} ${target}: ${answer}`)),
      );
    });
    sent.once('error', reject);
    sent.end(text);
  });
}

function residentMegabytes(contenders: readonly Contender[]): Measurement {
  const resident = (contender: Contender): number => {
    const pages = contender
      .pids()
      .map((pid) => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0));
    return pages.reduce((sum, kilobytes) => sum + kilobytes, 0) / 1024;
  };
  return {
    what: 'resident memory, idle, all processes (MB)',
    samples: Object.fromEntries(contenders.map((contender) => [contender.name, [resident(contender)]])),
    baseline: 'dockerd',
  };
}
