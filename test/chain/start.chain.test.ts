import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freeLocalPort } from '../../provisioners/drivers/vm/local-port.ts';
import { openMachines } from '../../provisioners/index.ts';
import { findChromium, launchChromium } from '../browser/chromium.ts';
import { docker, eventually, type Ran } from '../engine/docker.ts';
import { describeWith } from '../skip.ts';
import { learnAccelerators, tellAccelerators } from './known-accelerators.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** A person's way: `npm start` as it is typed, docker and skiff on what it made, the desktop in a real browser. One machine for all. */
describeWith(
  ['linux', { program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }, { program: 'docker' }],
  'npm start',
  () => {
    let home: string;
    let environment: NodeJS.ProcessEnv;
    beforeAll(async () => {
      home = await mkdtemp(path.join(os.tmpdir(), 'skiff-start-'));
      environment = { ...process.env, SKIFF_HOME: path.join(home, 'home'), DOCKER_CONFIG: path.join(home, 'docker') };
      await learnAccelerators(path.join(home, 'home'));
    });
    afterAll(async () => {
      const machines = openMachines({ environment });
      for (const { name } of await machines.list())
        await machines.remove(name, { report: () => undefined, signal: AbortSignal.timeout(60_000) });
      await rm(home, { recursive: true });
    });

    const start = (...words: string[]): Promise<Ran> =>
      run(process.execPath, [path.join(root, 'scripts/start.ts'), ...words]);
    const skiff = (...words: string[]): Promise<Ran> =>
      run(process.execPath, [path.join(root, 'cli/skiff.mjs'), ...words]);
    const socket = (): string => path.join(home, 'home/machines/default/docker.sock');

    function run(program: string, words: readonly string[]): Promise<Ran> {
      const child = spawn(program, words, { cwd: root, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      return new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code) => resolve({ exitCode: code ?? -1, stdout, stderr }));
      });
    }

    it('refuses a wrong flag and a driver that there is not, before anything is made', async () => {
      expect(await start('--nope')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--nope') });
      expect(await start('--once', '--driver', 'teleport')).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('teleport'),
      });
      expect((await skiff('machine', 'ls', '-q')).stdout).toBe('');
    });

    it('--once goes from nothing to the output of hello', { timeout: 600_000 }, async () => {
      const first = await start('--once');
      expect(first.exitCode, first.stderr).toBe(0);
      expect(first.stdout).toContain('Hello from a container on Skiff!');
      expect(first.stderr).toContain('Deploying the engine');
      await tellAccelerators(path.join(home, 'home'));
      const second = await start('--once');
      expect(second).toMatchObject({ exitCode: 0, stderr: '' }); // all was ready: no step was taken
    });

    it('leaves a machine that docker’s own command line works with', async () => {
      expect(await docker(socket(), ['run', '--rm', 'hello', 'sh', '-c', 'echo out; echo err >&2; exit 6'])).toEqual({
        exitCode: 6,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      expect(
        await docker(socket(), [
          'run',
          '-d',
          '--name',
          'talker',
          'hello',
          'sh',
          '-c',
          'for i in 1 2 3; do echo $i; sleep 0.3; done',
        ]),
      ).toMatchObject({ exitCode: 0 });
      expect((await docker(socket(), ['logs', '-f', 'talker'])).stdout).toBe('1\n2\n3\n');
      expect((await docker(socket(), ['wait', 'talker'])).stdout).toBe('0\n');
      expect((await docker(socket(), ['ps', '-a', '--format', '{{.Names}} {{.State}}'])).stdout).toBe(
        'talker exited\n',
      );
      expect(await docker(socket(), ['rm', 'talker'])).toMatchObject({ exitCode: 0 });
      expect(await docker(socket(), ['run', '-i', '--rm', 'hello', 'wc', '-c'], 'x'.repeat(300_000))).toMatchObject({
        stdout: '300000\n',
      });
      expect((await run('docker', ['--context', 'skiff', 'version', '--format', '{{.Server.Os}}'])).stdout).toBe(
        'linux\n',
      );
    });

    it('brings published ports to localhost, and takes them away', async () => {
      const port = await freeLocalPort(null);
      await docker(socket(), [
        'run',
        '-d',
        '--name',
        'web',
        '-p',
        `${port}:80`,
        'hello',
        'sh',
        '-c',
        'mkdir /w; echo served > /w/index.html; httpd -f -h /w',
      ]);
      expect(await eventually('the page', () => get(port))).toContain('served');
      await docker(socket(), ['rm', '-f', 'web']);
      await eventually('the port to close', async () => ((await get(port)) === null ? true : null));
    });

    it('leaves a machine that skiff works with', async () => {
      expect(await skiff('run', '--rm', 'hello', 'sh', '-c', 'exit 4')).toMatchObject({ exitCode: 4 });
      expect((await skiff('machine', 'status')).stdout).toBe('Running\n');
      expect((await skiff('machine', 'ssh', 'default', 'exit 3')).exitCode).toBe(3);
      expect((await skiff('machine', 'env')).stdout).toContain(`unix://${socket()}`);
    });

    it.skipIf(findChromium() === null)(
      'opens the desktop in a browser: hello runs by a button (needs Chromium)',
      async () => {
        const desktop = spawn(process.execPath, [path.join(root, 'scripts/start.ts'), '--browser'], {
          cwd: root,
          env: environment,
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const ended = new Promise((resolve) => desktop.once('exit', resolve));
        let said = '';
        desktop.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
        const browser = await launchChromium();
        try {
          const url = await eventually(
            'the address',
            () => /http:\/\/127\.0\.0\.1:\d+\/\S+/.exec(said)?.[0] ?? null,
            60_000,
          );
          const page = await browser.newPage();
          const complaints: string[] = [];
          page.on(
            'console',
            (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()),
          );
          await page.goto(url);
          await page.getByRole('button', { name: 'Run hello' }).click();
          await page.getByRole('log').getByText('Hello from a container on Skiff!').waitFor();
          await page.getByText('Exited (0)').waitFor();
          expect(complaints).toEqual([]);
          const again = await browser.newPage();
          await again.goto(url);
          await again
            .getByText(/already|once/i)
            .first()
            .waitFor(); // the address was good for one browser
        } finally {
          await browser.close();
          desktop.kill('SIGINT');
          await ended;
        }
        expect((await skiff('machine', 'status')).stdout).toBe('Running\n');
      },
    );

    it('--remove takes the machine away, with its context and its files', async () => {
      expect(await start('--once', '--remove')).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining('Hello'),
      });
      expect((await skiff('machine', 'ls', '-q')).stdout).toBe('');
      expect((await run('docker', ['context', 'ls', '--format', '{{.Name}}'])).stdout).toBe('default\n');
    });
  },
);

function get(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const connection = net.connect(port, '127.0.0.1', () => connection.write('GET / HTTP/1.0\r\n\r\n'));
    let text = '';
    connection.on('data', (chunk: Buffer) => (text += chunk.toString()));
    connection.once('error', () => resolve(null));
    connection.once('close', () => resolve(text === '' ? null : text));
  });
}
