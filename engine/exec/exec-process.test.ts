import { describe, expect, it } from 'vitest';
import type { SpecProcess } from '../runtime/oci.ts';
import { execProcess, type ExecProcessParts } from './exec-process.ts';

const base: SpecProcess = {
  terminal: true,
  consoleSize: { height: 1, width: 2 },
  user: { uid: 0, gid: 0, additionalGids: [7] },
  args: ['serve'],
  env: ['PATH=/bin', 'HOSTNAME=h', 'TERM=xterm', 'A=1', 'HOME=/root'],
  cwd: '/srv',
  capabilities: { bounding: ['CAP_CHOWN'], effective: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'] },
  rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }],
  noNewPrivileges: true,
  oomScoreAdj: 5,
};
const parts = (
  spec: Partial<ExecProcessParts['spec']> = {},
  more: Partial<ExecProcessParts> = {},
): ExecProcessParts => ({
  base,
  containerEnv: ['A=1'],
  user: null,
  consoleSize: null,
  capabilities: ['CAP_CHOWN', 'CAP_SYS_ADMIN'],
  ...more,
  spec: {
    command: ['true'],
    env: [],
    user: '',
    workingDir: null,
    isPrivileged: false,
    hasTerminal: false,
    consoleSize: null,
    detachKeys: '',
    attached: { stdin: false, stdout: true, stderr: true },
    ...spec,
  },
});

describe('the process of an exec', () => {
  it('is the container’s but for what it says', () => {
    expect(execProcess(parts())).toEqual({
      terminal: false,
      user: base.user,
      args: ['true'],
      env: ['PATH=/bin', 'HOSTNAME=h', 'A=1', 'HOME=/root'],
      cwd: '/srv',
      capabilities: base.capabilities,
      rlimits: base.rlimits,
      noNewPrivileges: true,
      oomScoreAdj: 5,
    });
  });

  it('has TERM where docker puts it, with a terminal only, unless the container says otherwise', () => {
    const env = (more: Partial<ExecProcessParts>, hasTerminal: boolean): readonly string[] =>
      execProcess(parts({ hasTerminal }, more)).env;
    expect(env({}, true)).toEqual(['PATH=/bin', 'HOSTNAME=h', 'TERM=xterm', 'A=1', 'HOME=/root']);
    expect(env({ containerEnv: ['TERM=xterm'] }, false)).toEqual(base.env);
  });

  it('replaces variables where they stand, adds others, and takes away those without a value', () => {
    expect(execProcess(parts({ env: ['A=2', 'B=3', 'PATH'] })).env).toEqual(['HOSTNAME=h', 'A=2', 'HOME=/root', 'B=3']);
  });

  it('has the home of its user, and no capabilities but root’s', () => {
    const user = { uid: 5, gid: 6, additionalGids: [6], home: '/home/five' };
    const process = execProcess(parts({}, { user }));
    expect(process.env).toContain('HOME=/home/five');
    expect(process.user).toEqual({ uid: 5, gid: 6, additionalGids: [6] });
    expect(process.capabilities).toEqual({ bounding: ['CAP_CHOWN'], effective: [], permitted: [] });
    expect(execProcess(parts({}, { user, containerEnv: ['HOME=/root'] })).env).toContain('HOME=/root');
  });

  it('has all capabilities when it is privileged, and root again in the container of a user', () => {
    const asUser = {
      ...base,
      user: { uid: 5, gid: 5 },
      capabilities: { ...base.capabilities, effective: [], permitted: [] },
    };
    const all = execProcess(parts({ isPrivileged: true })).capabilities;
    expect(all.effective).toEqual(['CAP_CHOWN', 'CAP_SYS_ADMIN']);
    const root = { uid: 0, gid: 0, additionalGids: [], home: '/root' };
    expect(execProcess(parts({}, { base: asUser, user: root })).capabilities.effective).toEqual(['CAP_CHOWN']);
  });

  it('has the size of its own terminal', () => {
    const process = execProcess(parts({ hasTerminal: true }, { consoleSize: { rows: 30, columns: 90 } }));
    expect([process.terminal, process.consoleSize]).toEqual([true, { height: 30, width: 90 }]);
  });
});
