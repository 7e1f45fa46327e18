import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { docker, type Ran } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'security of exec', () => {
  let engine: RunningEngine;
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());
  const cli = (...words: readonly string[]): Promise<Ran> => docker(engine.socket, words);
  const run = async (name: string, script: string, ...flags: readonly string[]): Promise<void> => {
    const ran = await cli('run', '-d', '--network', 'none', '--name', name, ...flags, 'hello', 'sh', '-c', script);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
  };

  it('has no inheritable capabilities, and none at all as an ordinary user', async () => {
    await run('capable', 'sleep 600', '--cap-add', 'SYS_ADMIN');
    const status = ['grep', '-E', '^Cap(Inh|Prm|Eff|Amb)', '/proc/self/status'];
    expect((await cli('exec', 'capable', ...status)).stdout).toMatch(/CapInh:\t0+\n/);
    const user = (await cli('exec', '-u', '1000', 'capable', ...status)).stdout;
    expect(user.replaceAll('\t', ' ')).toBe(
      ['Inh', 'Prm', 'Eff', 'Amb'].map((set) => `Cap${set}: ${'0'.repeat(16)}\n`).join(''),
    );
    const groups = await cli('exec', '-u', '12345', 'capable', 'id');
    expect(groups.stdout).toBe('uid=12345 gid=0(root) groups=0(root)\n');
  });

  it('keeps the container’s filter and its ban on new privileges', async () => {
    await run('strict', 'sleep 600', '--security-opt', 'no-new-privileges');
    const status = (await cli('exec', 'strict', 'grep', '-E', 'NoNewPrivs|Seccomp:', '/proc/self/status')).stdout;
    expect(status.replaceAll('\t', ' ')).toBe('NoNewPrivs: 1\nSeccomp: 2\n');
    const refused = await cli('exec', '--privileged', 'strict', 'unshare', '-U', 'true');
    expect(refused.exitCode).not.toBe(0);
  });
});
