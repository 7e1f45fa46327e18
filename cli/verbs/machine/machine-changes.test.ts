import { setImmediate as immediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { RemoteCommand } from '../../../provisioners/machines.ts';
import { memoryContext } from '../../../test/peers/cli-context.ts';
import { FakeMachines } from '../../../test/peers/fake-machines.ts';
import { runWords } from '../../program.ts';
import { describeError } from '../../report.ts';
import { CommandError, UsageError } from '../../usage-error.ts';

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function machine(
  machines: FakeMachines,
  words: readonly string[],
  options: Omit<Parameters<typeof memoryContext>[0], 'machines'> = {},
): Promise<Ran> {
  using context = memoryContext({ machines, ...options });
  try {
    const exitCode = await runWords(['machine', ...words], context);
    await immediate(); // The streams hand on what was written in the next turn.
    return { exitCode, ...context.written };
  } catch (error) {
    await immediate();
    const exitCode = error instanceof CommandError || error instanceof UsageError ? error.exitCode : 1;
    return { exitCode, stdout: context.written.stdout, stderr: `${context.written.stderr}${describeError(error)}\n` };
  }
}

function some(...names: string[]): FakeMachines {
  const machines = new FakeMachines({ engineSocket: '/run/engine.sock' });
  for (const name of names) machines.add(name);
  return machines;
}

const stateOf = async (machines: FakeMachines, name: string): Promise<string> => (await machines.inspect(name)).state;

describe('pause, suspend, resume', () => {
  it.each([
    ['pause', 'paused', 'Machine "web" was paused.\n'],
    ['suspend', 'suspended', 'Machine "web" was suspended.\n'],
  ])('%s makes a machine %s, and resume lets it go on', async (verb, state, says) => {
    const machines = some('web');
    expect(await machine(machines, [verb, 'web'])).toMatchObject({ exitCode: 0, stdout: says });
    expect(await stateOf(machines, 'web')).toBe(state);
    expect((await machine(machines, ['resume', 'web'])).stdout).toBe('Machine "web" was resumed.\n');
    expect(await stateOf(machines, 'web')).toBe('running');
  });
});

describe('flags of a driver', () => {
  it('are listed with what the environment may give', async () => {
    const { stdout } = await machine(some(), ['create', '--help']);
    expect(stdout).toMatch(/--memory bytes\s+Size of its memory/);
    expect(stdout).toContain('Drivers: fake, absent (not usable here)');
  });

  it('are refused by the driver, naming the flag and its limits', async () => {
    const { exitCode, stderr } = await machine(some(), ['create', '--colour', 'red']);
    expect({ exitCode, stderr }).toMatchObject({ stderr: expect.stringContaining('--colour') });
  });
});

describe('share', () => {
  it('adds, lists and removes folders of this computer', async () => {
    const machines = some('web');
    expect((await machine(machines, ['share', 'web', '/srv/a', '/srv/b:ro'])).stdout).toBe('/srv/a\n/srv/b:ro\n');
    expect((await machine(machines, ['share', 'web', '--remove', '/srv/a'])).stdout).toBe('/srv/b:ro\n');
    expect((await machine(machines, ['share', 'web'])).stdout).toBe('/srv/b:ro\n');
  });
});

describe('resize', () => {
  it('says what waits for the next start', async () => {
    const machines = some('web');
    const ran = await machine(machines, ['resize', '--memory', '4g', '--disk', '40g', 'web']);
    expect(ran).toMatchObject({
      exitCode: 0,
      stdout: 'Machine "web" was resized.\nAt its next start: memory\n',
    });
    expect((await machines.inspect('web')).settings).toMatchObject({ memoryBytes: 2 ** 32, diskBytes: 40 * 2 ** 30 });
  });

  it('wants something to change', async () => {
    expect(await machine(some('web'), ['resize', 'web'])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('Nothing to change: give --cpus, --memory, --disk'),
    });
  });
});

describe('snapshot', () => {
  it('takes, lists and removes', async () => {
    const machines = some('web');
    expect((await machine(machines, ['snapshot', 'create', 'web', 'before'])).stdout).toBe('before\n');
    expect((await machine(machines, ['snapshot', 'ls', 'web'])).stdout).toMatch(/^NAME .*\nbefore .*1\.07GB\n$/);
    expect((await machine(machines, ['snapshot', 'ls', '-q', 'web'])).stdout).toBe('before\n');
    await machine(machines, ['snapshot', 'rm', 'web', 'before']);
    expect((await machine(machines, ['snapshot', 'ls', '-q', 'web'])).stdout).toBe('');
  });

  it.each([
    [['snapshot', 'paint', 'web', 'x'], '"paint" is nothing to do with a snapshot: ls, create, restore or rm'],
    [['snapshot', 'create', 'web'], 'Which snapshot? skiff machine snapshot create web NAME'],
  ])('refuses %j', async (words, says) => {
    expect(await machine(some('web'), words)).toMatchObject({ exitCode: 1, stderr: `${says}\n` });
  });
});

describe('copies', () => {
  it('are made beside a machine, to a file and from one', async () => {
    const machines = some('web');
    expect((await machine(machines, ['clone', 'web', 'two'])).stdout).toContain('skiff machine start two');
    expect((await machine(machines, ['export', '-o', '/tmp/x.tar.zst', 'web'])).stdout).toBe('/tmp/x.tar.zst\n');
    expect((await machine(machines, ['import', '/tmp/x.tar.zst', 'three'])).exitCode).toBe(0);
    expect((await machines.list()).map(({ name }) => name)).toEqual(['three', 'two', 'web']);
  });
});

describe('what scripts of docker-machine ask for', () => {
  it('is told: the active machine, docker’s options, the version', async () => {
    const machines = some('web');
    const environment = { DOCKER_HOST: 'unix:///run/engine.sock' };
    expect((await machine(machines, ['active'], { environment })).stdout).toBe('web\n');
    expect(await machine(machines, ['active'])).toMatchObject({ exitCode: 1, stderr: 'No active host found\n' });
    expect((await machine(machines, ['config', 'web'])).stdout).toBe('-H=unix:///run/engine.sock\n');
    expect((await machine(machines, ['version', 'web'])).stdout).toBe('0.1.0\n');
  });

  it.each([
    [['mount', '/data'], 'Name the folder as MACHINE:PATH'],
    [['scp', '/a', '/b'], 'name it as MACHINE:PATH'],
    [['scp', 'web:/a', '/b'], 'is this computer itself'],
  ])('%j says what is there instead', async (words, says) => {
    expect(await machine(some('web'), words)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(says) });
  });
});

describe('regenerate-certs', () => {
  it('makes new SSH keys when that is agreed to', async () => {
    const machines = some('web', 'two');
    const renewed: string[] = [];
    machines.script = async (verb, _operation, name) => void renewed.push(`${verb} ${name}`);
    expect(await machine(machines, ['regenerate-certs', 'web'], { input: 'n\n' })).toMatchObject({
      exitCode: 1,
      stderr: 'Nothing was changed.\n',
    });
    expect(renewed).toEqual([]);
    expect((await machine(machines, ['regenerate-certs', '-f', 'web', 'two'])).stdout).toBe(
      'Machine "web" has a new SSH key.\nMachine "two" has a new SSH key.\n',
    );
    expect(renewed).toEqual(['renewKeys web', 'renewKeys two']);
  });
});

describe('gc', () => {
  it('shows what is left over and removes it when that is agreed to', async () => {
    const machines = some('web');
    expect((await machine(machines, ['gc'])).stdout).toBe('Nothing is left over.\n');
    machines.left = ['process 7 of machine "old", which is gone'];
    expect((await machine(machines, ['gc', '--dry-run'])).stdout).toBe('process 7 of machine "old", which is gone\n');
    expect(await machine(machines, ['gc'], { input: 'n\n' })).toMatchObject({ exitCode: 1 });
    expect(machines.left).toHaveLength(1);
    expect((await machine(machines, ['gc', '-f'])).stdout).toContain('Removed process 7');
    expect(machines.left).toEqual([]);
  });
});

describe('doctor', () => {
  it('exits with 1 when something is wrong', async () => {
    const machines = some();
    machines.findings = [{ machine: null, about: 'Driver qemu', verdict: 'note', says: 'is not installed' }];
    expect(await machine(machines, ['doctor'])).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/note\s+Driver qemu/),
    });
    machines.findings = [{ machine: null, about: 'Disk', verdict: 'bad', says: 'full\nvery' }];
    expect(await machine(machines, ['doctor'])).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/PROBLEM\s+Disk\s+full\n/),
    });
  });
});

describe('logs', () => {
  class Told extends FakeMachines {
    readonly commands: (string | null)[] = [];

    override async run(_name = '', command?: RemoteCommand): Promise<{ exitCode: number; signal: null }> {
      this.commands.push(command?.command ?? null);
      command?.stdout.write('a line\n');
      return { exitCode: 0, signal: null };
    }
  }

  it('are of the engine unless something else is asked for', async () => {
    const machines = new Told({ engineSocket: '/run/engine.sock' });
    machines.add('web');
    expect((await machine(machines, ['logs', '-f', '-n', '5', 'web'])).stdout).toBe('a line\n');
    expect(machines.commands).toEqual(["tail -n 5 -f '/var/log/skiffd.log'"]);
    expect(await machine(machines, ['logs', '--console', 'web'])).toMatchObject({
      exitCode: 1,
      stderr: 'Machine "web" has no console\n',
    });
    expect(await machine(machines, ['logs', '--agent', 'web'])).toMatchObject({ exitCode: 0, stdout: '' });
  });
});
