import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unixSocketDialer } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import type { MachineShares } from '../../provisioners/host-agent/keep-shares.ts';
import { keepShares } from '../../provisioners/host-agent/keep-shares.ts';
import { describeWith } from '../skip.ts';
import { Boxes } from './box.ts';
import { docker, eventually } from './docker.ts';
import { type RunningEngine, startEngine } from './start-engine.ts';

/** What the host agent does on the user's computer, in this process. */
class UsersComputer implements AsyncDisposable {
  readonly home = mkdtempSync(path.join(os.tmpdir(), 'skiff-home-'));
  readonly logged: string[] = [];
  readonly #document = path.join(this.home, 'machine.json');
  shares: MachineShares;
  #ending = new AbortController();
  #keeping: Promise<void> = Promise.resolve();

  constructor() {
    for (const folder of ['project', 'closed', 'elsewhere']) mkdirSync(path.join(this.home, folder));
    chmodSync(this.home, 0o755);
    const share = (name: string, isReadOnly: boolean): MachineShares['shares'][number] => ({
      hostPath: path.join(this.home, name),
      machinePath: `/users/me/${name}`,
      isReadOnly,
    });
    this.shares = { shares: [share('project', false), share('closed', true)], whenMissing: 'refuse', machine: 'box' };
  }

  connect(socket: string): void {
    this.#ending = new AbortController();
    this.#keeping = keepShares({
      dial: unixSocketDialer(socket),
      shares: () => Promise.resolve(this.shares),
      document: this.#document,
      signal: this.#ending.signal,
      log: (line) => this.logged.push(line),
    });
  }

  async disconnect(): Promise<void> {
    this.#ending.abort();
    await this.#keeping;
  }

  file(name: string): string {
    return path.join(this.home, 'project', name);
  }

  change(shares: Partial<MachineShares>): void {
    this.shares = { ...this.shares, ...shares };
    writeFileSync(this.#document, '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** inotify on a folder, in a process of its own: this one answers for the files. */
function listen(folder: string): Disposable & { said(line: string): true | null; forget(): void } {
  const program = `fs.watch(process.argv[1], (event, name) => console.log(event, name)); console.log('listening')`;
  const child = spawn(process.execPath, ['-e', program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let lines: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n')));
  return {
    said: (line) => (lines.includes(line) ? true : null),
    forget: () => void (lines = []),
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'pgrep' }, { file: '/dev/fuse' }],
  'folders of the user’s computer',
  () => {
    const stack = new AsyncDisposableStack();
    let engine: RunningEngine;
    let boxes: Boxes;
    let computer: UsersComputer;

    beforeAll(async () => {
      engine = stack.use(await startEngine());
      computer = stack.use(new UsersComputer());
      computer.connect(engine.socket);
      boxes = new Boxes(engine.socket);
      writeFileSync(computer.file('greeting'), 'good morning');
      await eventually('the engine to know of the shares', async () => {
        using client = new EngineClient(unixSocketDialer(engine.socket));
        return (await client.skiff.shares()).folders.length === 2 ? true : null;
      });
    });
    afterAll(() => stack.disposeAsync());

    const withProject = { host: { Binds: ['/users/me/project:/app'] } };

    it('are read and written by containers, under their own paths', async () => {
      const { output } = await boxes.run(
        'cat /app/greeting; echo answer > /app/reply; mkdir -p /app/a/b; mv /app/reply /app/a/b/moved; ln -s greeting /app/link; cat /app/link; ls /app',
        withProject,
      );
      expect(output).toBe('good morninggood morninga\ngreeting\nlink\n');
      expect(readFileSync(computer.file('a/b/moved'), 'utf8')).toBe('answer\n');
    });

    it('keep large files whole, also where they are written in pieces and cut', async () => {
      const { output } = await boxes.run(
        'cd /app; seq 1 300000 > big; md5sum < big; echo tail >> big; truncate -s 10 big; cat big; rm big',
        withProject,
      );
      const { output: wanted } = await boxes.run('seq 1 300000 | md5sum');
      expect(output).toBe(`${wanted}1\n2\n3\n4\n5\n`);
      expect(readdirSync(computer.file('.'))).not.toContain('big');
    });

    it('belong to whoever looks, unless they were given to somebody', async () => {
      const script = 'cd /app; touch own; stat -c %u:%g own; echo more >> own';
      expect((await boxes.run(script, { ...withProject, config: { User: '1000:1000' } })).output).toBe('1000:1000\n');
      const given = 'cd /app; mkdir -p data; chown 999:998 data; touch data/new; stat -c %u:%g data data/new own';
      expect((await boxes.run(given, withProject)).output).toBe('999:998\n999:998\n0:0\n');
    });

    it('are bound by single files and through links, and made where docker makes them', async () => {
      writeFileSync(computer.file('settings'), 'colour=red');
      symlinkSync('a/b', computer.file('shortcut'));
      const Binds = [
        '/users/me/project/settings:/etc/settings:ro',
        '/users/me/project/shortcut:/short',
        '/users/me/project/made/anew:/made',
      ];
      const { output } = await boxes.run('cat /etc/settings; ls /short; touch /made/it', { host: { Binds } });
      expect(output).toBe('colour=redmoved\n');
      expect(readdirSync(computer.file('made/anew'))).toEqual(['it']);
    });

    it('are read only where they are shared so', async () => {
      writeFileSync(path.join(computer.home, 'closed', 'book'), 'text');
      const { output } = await boxes.run('cat /c/book; echo x > /c/book', {
        host: { Binds: ['/users/me/closed:/c'] },
      });
      expect(output).toContain('text');
      expect(output).toContain('Read-only file system');
    });

    it('are refused where they are not shared, by name and with what to do', async () => {
      const ran = await docker(engine.socket, ['run', '--rm', '-v', '/users/me/elsewhere:/x', 'hello', 'true']);
      expect(ran.stderr).toContain('mounts denied: /users/me/elsewhere is not shared with machine "box"');
      expect(ran.stderr).toContain('skiff machine share box /users/me/elsewhere');
      symlinkSync('/users/me/elsewhere', computer.file('way-out'));
      const through = await docker(engine.socket, [
        'run',
        '--rm',
        '-v',
        '/users/me/project/way-out:/x',
        'hello',
        'true',
      ]);
      expect(through.stderr).toContain('leads to /users/me/elsewhere, which is not shared');
    });

    it('are watched: what the user saves, makes and removes is heard in the container', async () => {
      writeFileSync(computer.file('watched'), 'one');
      const id = await boxes.keep(withProject);
      try {
        const { State } = await boxes.inspect<{ readonly State: { readonly Pid: number } }>(id);
        using heard = listen(`/proc/${State.Pid}/root/app`);
        // The folders are watched a moment later than the container starts.
        await eventually('a change to be heard', async () => {
          await writeFile(computer.file('watched'), `two ${performance.now()}`);
          return heard.said('change watched');
        });
        await writeFile(computer.file('fresh'), 'new');
        await eventually('a new file to be heard', () => heard.said('rename fresh'));
        heard.forget();
        rmSync(computer.file('fresh'));
        await eventually('its removal to be heard', () => heard.said('rename fresh'));
        expect(readFileSync(computer.file('watched'), 'utf8')).toMatch(/^two /);
      } finally {
        await boxes.remove(id);
      }
    });

    it('wait for a line that is cut and go on, also for a container that has them open', async () => {
      const id = await boxes.keep(withProject, ['sh', '-c', 'while sleep 0.1; do echo tick; done >> /app/log']);
      const inside = async (script: string): Promise<string> => {
        const { stdout, stderr } = await docker(engine.socket, ['exec', id, 'sh', '-c', script]);
        return stdout + stderr;
      };
      try {
        await computer.disconnect();
        const reading = inside('cat /app/greeting; echo late > /app/late');
        computer.connect(engine.socket);
        expect(await reading).toBe('good morning');
        expect(readFileSync(computer.file('late'), 'utf8')).toBe('late\n');
        await engine.crash();
        await engine.start();
        expect(await inside('cat /app/greeting')).toBe('good morning');
        const before = readFileSync(computer.file('log')).length;
        await eventually('the container to go on writing', () =>
          readFileSync(computer.file('log')).length > before ? true : null,
        );
      } finally {
        await boxes.remove(id);
      }
    });

    it('are there again when their program was killed, and what it had mounted fails at once', async () => {
      const id = await boxes.keep(withProject);
      try {
        const [, pid] = spawnSync('pgrep', ['-f', `folder ${engine.execRoot}/shares`], { encoding: 'utf8' }).output;
        process.kill(Number(pid), 'SIGKILL');
        // The engine has taken note of it then.
        await eventually('its end', () => (existsSync(`/proc/${Number(pid)}`) ? null : true));
        const { stderr } = await docker(engine.socket, ['exec', id, 'ls', '/app']);
        expect(stderr).toMatch(/not connected|aborted/);
        expect((await boxes.run('cat /app/greeting', withProject)).output).toBe('good morning');
        await docker(engine.socket, ['restart', '-t', '0', id]);
        expect((await docker(engine.socket, ['exec', id, 'cat', '/app/greeting'])).stdout).toBe('good morning');
      } finally {
        await boxes.remove(id);
      }
    });

    it('follow what is shared while containers run', async () => {
      const { shares } = computer.shares;
      computer.change({
        shares: [
          ...shares,
          { hostPath: path.join(computer.home, 'elsewhere'), machinePath: '/users/me/elsewhere', isReadOnly: false },
        ],
      });
      await eventually('the new share to be bound', async () => {
        const ran = await docker(engine.socket, [
          'run',
          '--rm',
          '-v',
          '/users/me/elsewhere:/x',
          'hello',
          'touch',
          '/x/there',
        ]);
        return ran.exitCode === 0 ? true : null;
      });
      computer.change({ shares });
      await eventually('it to be refused again', async () => {
        const ran = await docker(engine.socket, ['run', '--rm', '-v', '/users/me/elsewhere:/x', 'hello', 'true']);
        return ran.stderr.includes('mounts denied') ? true : null;
      });
    });
  },
);
