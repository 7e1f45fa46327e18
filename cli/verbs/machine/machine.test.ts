import { setImmediate as immediate } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { MachineError } from '../../../provisioners/machines.ts';
import type { RemoteCommand } from '../../../provisioners/machines.ts';
import { runStep } from '../../../provisioners/progress.ts';
import { memoryContext } from '../../../test/peers/cli-context.ts';
import type { MemoryContext } from '../../../test/peers/cli-context.ts';
import { FakeMachines } from '../../../test/peers/fake-machines.ts';
import { runWords } from '../../program.ts';
import { describeError } from '../../report.ts';
import { CommandError, UsageError } from '../../usage-error.ts';

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function finish(context: MemoryContext, words: readonly string[]): Promise<Ran> {
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

async function machine(
  machines: FakeMachines,
  words: readonly string[],
  options: Omit<Parameters<typeof memoryContext>[0], 'machines'> = {},
): Promise<Ran> {
  using context = memoryContext({ machines, ...options });
  return await finish(context, words);
}

function some(...names: string[]): FakeMachines {
  const machines = new FakeMachines({ engineSocket: '/run/engine.sock' });
  for (const name of names) machines.add(name);
  return machines;
}

describe('create', () => {
  it('makes a machine, shows its steps and says what to do with it', async () => {
    const machines = some();
    machines.script = async (_, operation) =>
      runStep({ step: 'boot', title: 'Starting the machine', operation }, async () => undefined);
    const ran = await machine(machines, ['create', '--cpus', '3', '--memory', '1g', '--disk=10g', 'web']);
    expect(ran.exitCode).toBe(0);
    expect(ran.stderr).toMatch(/^Starting the machine \.\.\.\nStarting the machine: done in [\d.]+s\n$/);
    expect(ran.stdout).toBe(
      'Machine "web" is running.\nRun a container in it: skiff --machine web run hello\nDocker\'s own tools find it as: docker --context skiff-web\n',
    );
    expect((await machines.inspect('web')).settings).toEqual({
      cpus: 3,
      memoryBytes: 2 ** 30,
      diskBytes: 10 * 2 ** 30,
    });
  });

  it('is called "default" when it is not named', async () => {
    const machines = some();
    expect((await machine(machines, ['create'])).stdout).toContain('Run a container in it: skiff run hello\n');
    expect((await machines.inspect('default')).state).toBe('running');
  });

  it('takes the driver of the flag or of docker-machine’s variable', async () => {
    expect(await machine(some(), ['create', '-d', 'other'])).toMatchObject({
      exitCode: 1,
      stderr: 'There is no driver named other.\n',
    });
    const environment = { MACHINE_DRIVER: 'another' };
    expect((await machine(some(), ['create'], { environment })).stderr).toBe('There is no driver named another.\n');
  });

  it('refuses a name that is taken', async () => {
    expect(await machine(some('web'), ['create', 'web'])).toMatchObject({ exitCode: 1, stdout: '' });
  });

  it('exits with 3 where the driver cannot work at all', async () => {
    const machines = some();
    machines.script = async () => Promise.reject(new MachineError('driver-unavailable', 'QEMU is missing: install it'));
    expect(await machine(machines, ['create'])).toMatchObject({ exitCode: 3, stderr: 'QEMU is missing: install it\n' });
  });

  it('stops at ctrl-c and says how to go on; a second ctrl-c is not held up', async () => {
    const machines = some();
    using context = memoryContext({ machines });
    machines.script = async (_, operation) => {
      context.signal('SIGINT');
      operation.signal.throwIfAborted();
    };
    const ran = await finish(context, ['create', 'web']);
    expect(ran).toMatchObject({
      exitCode: 130,
      stderr: 'Interrupted. Go on with: skiff machine create web. Clean up with: skiff machine rm web\n',
    });
    expect(() => context.signal('SIGINT')).toThrow('nobody listens');
  });

  it.each([
    [['create', '--memory', 'much'], `invalid argument "much" for "--memory" flag: invalid size: 'much'`],
    [['create', 'a', 'b'], "'skiff machine create' requires at most 1 argument"],
  ])('refuses %j', async (words, says) => {
    expect((await machine(some(), words)).stderr).toContain(says);
  });
});

describe('start, stop, kill, restart', () => {
  it.each([
    { words: ['stop', 'web'], before: 'running', after: 'stopped', says: 'Machine "web" was stopped.\n' },
    { words: ['start', 'web'], before: 'stopped', after: 'running', says: 'Machine "web" was started.\n' },
    { words: ['kill', 'web'], before: 'running', after: 'stopped', says: 'Machine "web" was killed.\n' },
    { words: ['restart', 'web'], before: 'running', after: 'running', says: 'Machine "web" was restarted.\n' },
    { words: ['restart', 'web'], before: 'stopped', after: 'running', says: 'Machine "web" was restarted.\n' },
  ] as const)('$words from $before', async ({ words, before, after, says }) => {
    const machines = some('web');
    machines.change('web', { state: before });
    expect(await machine(machines, words)).toEqual({ exitCode: 0, stdout: says, stderr: '' });
    expect((await machines.inspect('web')).state).toBe(after);
  });

  it('fails for a machine that is in that state already', async () => {
    expect(await machine(some('web'), ['start', 'web'])).toMatchObject({
      exitCode: 1,
      stdout: '',
      stderr: 'web is running.\n',
    });
  });

  it('means "default" when none is named, and says so when there is none', async () => {
    expect(await machine(some('default', 'web'), ['stop'])).toMatchObject({
      stdout: 'Machine "default" was stopped.\n',
    });
    expect(await machine(some('web'), ['stop'])).toMatchObject({
      exitCode: 1,
      stderr: 'Error: No machine name(s) specified and no "default" machine exists\n',
    });
  });

  it('does nothing to any when one name is wrong', async () => {
    const machines = some('a', 'b');
    expect(await machine(machines, ['stop', 'a', 'nobody', 'b'])).toMatchObject({ exitCode: 1, stdout: '' });
    expect((await machines.inspect('a')).state).toBe('running');
  });

  it('works on several at once, tells their steps apart, and joins what went wrong', async () => {
    const machines = some('a', 'b');
    machines.script = (_, operation, name) =>
      runStep({ step: 'stop', title: 'Stopping', operation }, async () => {
        if (name === 'b') throw new MachineError('timeout', 'b does not stop');
      });
    const ran = await machine(machines, ['stop', 'a', 'b', 'a']);
    expect(ran).toMatchObject({ exitCode: 1, stdout: 'Machine "a" was stopped.\n' });
    expect(ran.stderr.split('\n')).toEqual(
      expect.arrayContaining([
        'a: Stopping ...',
        'b: Stopping ...',
        expect.stringMatching(/^b: Stopping: failed/),
        'b does not stop',
      ]),
    );
  });
});

describe('rm', () => {
  it.each([
    { input: 'y\n', exitCode: 0, left: [] },
    { input: 'YES\n', exitCode: 0, left: [] },
    { input: 'n\n', exitCode: 1, left: ['web'] },
    { input: '', exitCode: 1, left: ['web'] },
  ])('asks, and takes $input for an answer', async ({ input, exitCode, left }) => {
    const machines = some('web');
    const ran = await machine(machines, ['rm', 'web'], { input });
    expect(ran.exitCode).toBe(exitCode);
    expect(ran.stdout).toMatch(/^About to remove web\nWARNING: .*\nAre you sure\? \(y\/n\): /);
    expect((await machines.list()).map(({ name }) => name)).toEqual(left);
  });

  it.each(['-y', '-f'])('does not ask with %s', async (option) => {
    const ran = await machine(some('a', 'b'), ['rm', option, 'a', 'b']);
    expect(ran.stdout).toMatch(/Successfully removed a\nSuccessfully removed b\n$/);
  });

  it('wants a name', async () => expect((await machine(some('default'), ['rm'])).exitCode).toBe(1));
});

describe('ls', () => {
  const machines = some('web-10', 'web-2');
  machines.change('web-10', { state: 'stopped', engineVersion: null });
  machines.add('broken', { state: 'unknown', error: 'QEMU is missing\nmore', driver: 'other' });

  it('prints a table with one line of each error', async () => {
    const { stdout } = await machine(machines, ['ls'], { environment: { DOCKER_HOST: 'unix:///run/engine.sock' } });
    expect(stdout.split('\n').map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
      ['NAME', 'ACTIVE', 'DRIVER', 'STATE', 'URL', 'ENGINE', 'ERRORS'],
      ['broken', '*', 'other', 'Error', 'v0.1.0', 'QEMU is missing'],
      ['web-10', '*', 'fake', 'Stopped', 'Unknown'],
      ['web-2', '*', 'fake', 'Running', 'unix:///run/engine.sock', 'v0.1.0'],
      [''],
    ]);
  });

  it.each([
    [['-q'], 'broken\nweb-10\nweb-2\n'],
    [['-q', '--filter', 'state=running'], 'web-2\n'],
    [['-q', '--filter', 'state=Stopped', '--filter', 'driver=fake'], 'web-10\n'],
    [['-q', '-f', 'name=^web', '-f', 'name=broken'], 'broken\nweb-10\nweb-2\n'],
    [['--format', '{{.Name}}:{{.State}}', '-f', 'name=2'], 'web-2:Running\n'],
  ])('%j', async (words, stdout) =>
    expect(await machine(machines, ['ls', ...words])).toEqual({ exitCode: 0, stdout, stderr: '' }),
  );

  it.each([
    ['bogus=1', "Unsupported filter key 'bogus'"],
    ['name=(', 'is no regular expression'],
  ])('refuses the filter %s', async (filter, says) => {
    expect((await machine(machines, ['ls', '--filter', filter])).stderr).toContain(says);
  });
});

describe('facts', () => {
  it('tells status, address, URL and everything', async () => {
    const machines = some('default');
    expect((await machine(machines, ['status'])).stdout).toBe('Running\n');
    expect((await machine(machines, ['ip', 'default'])).stdout).toBe('127.0.0.1\n');
    expect((await machine(machines, ['url'])).stdout).toBe('unix:///run/engine.sock\n');
    expect(JSON.parse((await machine(machines, ['inspect'])).stdout)).toEqual(await machines.inspect('default'));
    expect((await machine(machines, ['inspect', '-f', '{{.driver}} {{.settings.cpus}}'])).stdout).toBe('fake 2\n');
  });

  it('has no URL for a machine that does not run', async () => {
    const machines = some('web');
    machines.change('web', { state: 'stopped' });
    expect(await machine(machines, ['url', 'web'])).toMatchObject({
      exitCode: 1,
      stderr: 'Machine "web" is not running. Start it with: skiff machine start web\n',
    });
  });
});

describe('env', () => {
  const ofBash = [
    'unset DOCKER_TLS_VERIFY',
    'unset DOCKER_CERT_PATH',
    'export DOCKER_HOST="unix:///run/engine.sock"',
    'export DOCKER_MACHINE_NAME="web"',
    '# Run this command to configure your shell:',
    '# eval $(skiff machine env web)',
    '',
  ].join('\n');

  it('speaks the shell of the caller, else the one that is asked for', async () => {
    const machines = some('web');
    expect((await machine(machines, ['env', 'web'], { environment: { SHELL: '/bin/bash' } })).stdout).toBe(ofBash);
    const fish = (await machine(machines, ['env', '--shell', 'fish', 'web'])).stdout;
    expect(fish).toContain('set -gx DOCKER_HOST "unix:///run/engine.sock";\n');
    expect(fish).toContain('# eval (skiff machine env --shell fish web)\n');
    const windows = (await machine(machines, ['env', 'web'], { platform: 'win32' })).stdout;
    expect(windows).toContain('$Env:DOCKER_HOST = "unix:///run/engine.sock"\n');
    expect((await machine(machines, ['env', '--shell', 'cmd', 'web'])).stdout).toContain(
      'SET DOCKER_MACHINE_NAME=web\n',
    );
  });

  it('takes back what it set', async () => {
    expect((await machine(some(), ['env', '-u'])).stdout).toContain('unset DOCKER_HOST\nunset DOCKER_MACHINE_NAME\n');
    expect((await machine(some('web'), ['env', '-u', 'web'])).exitCode).toBe(1);
  });

  it('prints nothing to evaluate for a machine that does not run', async () => {
    const machines = some('web');
    machines.change('web', { state: 'stopped' });
    expect(await machine(machines, ['env', 'web'])).toMatchObject({ exitCode: 1, stdout: '' });
  });
});

describe('ssh', () => {
  class Shells extends FakeMachines {
    last: RemoteCommand | null = null;

    override async run(_name = '', command?: RemoteCommand): Promise<{ exitCode: number; signal: null }> {
      if (!command) throw new Error('no command');
      this.last = command;
      if (command.command === 'hang')
        await new Promise((_, reject) => command.signal.addEventListener('abort', () => reject(command.signal.reason)));
      if (command.command === 'cat' && command.stdin) command.stdout.write(await text(command.stdin));
      command.stderr.write('noise\n');
      return { exitCode: 7, signal: null };
    }
  }
  const shells = (): Shells => {
    const machines = new Shells({ engineSocket: '/run/engine.sock' });
    machines.add('web');
    return machines;
  };

  it('passes streams and the remote exit code through; flags after the name are the command’s', async () => {
    const machines = shells();
    expect(await machine(machines, ['ssh', 'web', 'cat'], { input: 'given' })).toEqual({
      exitCode: 7,
      stdout: 'given',
      stderr: 'noise\n',
    });
    await machine(machines, ['ssh', 'web', 'ls', '-l', '--help']);
    expect(machines.last).toMatchObject({ command: 'ls -l --help', terminal: null });
    await machine(machines, ['ssh', 'web']);
    expect(machines.last).toMatchObject({ command: null, terminal: null });
  });

  it('ends at ctrl-c', async () => {
    const machines = shells();
    using context = memoryContext({ machines });
    const running = finish(context, ['ssh', 'web', 'hang']);
    while (machines.last === null) await immediate();
    context.signal('SIGINT');
    expect((await running).exitCode).toBe(130);
  });
});
