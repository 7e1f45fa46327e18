import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findInit } from '../../../engine/runtime/init-program.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** This computer's, or the one that the reference dockerd was fetched with. */
const fetched = path.join(os.homedir(), '.cache/skiff/peers/dockerd-sid/usr/bin/tini-static');
const init = findInit() ?? (existsSync(fetched) ? fetched : null);

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: the process of a container', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine({ flags: init === null ? [] : ['--init-path', init] });
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const outputOf = async (
    command: string | readonly string[],
    host: object = {},
    config: object = {},
  ): Promise<string> => (await boxes.run(command, { host: { ...host }, config: { ...config } })).output.trimEnd();

  it('7: warnings are a list, and the restart policy is no', async () => {
    const answer = await call(engine.socket, 'POST', '/containers/create', { Image: 'hello', Cmd: ['true'] });
    expect(answer.json()).toEqual({ Id: expect.stringMatching(/^[0-9a-f]{64}$/) as string, Warnings: [] });
    const { Id } = answer.json() as { Id: string };
    expect((await boxes.inspect<{ HostConfig: object }>(Id)).HostConfig).toMatchObject({
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    });
    await boxes.remove(Id);
  });

  it('8: the client’s variables go before those of the image that it does not name', async () => {
    const { id } = await boxes.create('true', { config: { Env: ['ONE=1', 'TWO'] } });
    const { Config } = await boxes.inspect<{ Config: { Env: string[] } }>(id);
    expect(Config.Env[0]).toBe('ONE=1');
    expect(Config.Env.some((variable) => variable.startsWith('PATH='))).toBe(true);
    await boxes.remove(id);
  });

  it('10: variables in docker’s order, and a name without a value takes one away', async () => {
    const names = async (config: object): Promise<readonly string[]> =>
      (await outputOf(['env'], {}, config)).split('\n').map((variable) => variable.split('=', 1)[0] ?? '');
    expect(await names({ Env: ['B=1', 'A=2'], Hostname: 'box' })).toEqual(['PATH', 'HOSTNAME', 'B', 'A', 'HOME']);
    expect(await names({ Env: ['PATH=/bin', 'HOME=/x', 'HOSTNAME'] })).toEqual(['PATH', 'HOME']);
    const terminal = await docker(engine.socket, ['run', '--rm', '-t', '-e', 'X=1', 'hello', 'env']);
    expect(terminal.stdout.split('\r\n').map((variable) => variable.split('=', 1)[0])).toEqual([
      'PATH',
      'HOSTNAME',
      'TERM',
      'X',
      'HOME',
      '',
    ]);
  });

  it('13: what every container has, and no diff or commit shows', async () => {
    const script =
      'ls /.dockerenv /etc/hosts /etc/hostname /etc/resolv.conf; readlink /etc/mtab; hostname; cat /etc/hostname';
    expect(await outputOf(script, { NetworkMode: 'bridge' }, { Hostname: 'box' })).toBe(
      '/.dockerenv\n/etc/hostname\n/etc/hosts\n/etc/resolv.conf\n/proc/mounts\nbox\nbox',
    );
  });

  describe('83: users', () => {
    // The image's own files: root, and whoever a container writes there before it is asked again.
    const passwd = 'root:x:0:0::/root:/bin/sh\nana:x:1000:1001::/home/ana:/bin/sh\n';
    const group = 'root:x:0:\nana:x:1001:\nvideo:x:44:ana\naudio:x:63:root\n';
    let image = '';
    beforeAll(async () => {
      image = await boxes.keep({ name: 'users' }, [
        'sh',
        '-c',
        `printf '${passwd.replaceAll('\n', '\\n')}' > /etc/passwd; printf '${group.replaceAll('\n', '\\n')}' > /etc/group; touch /ready; sleep 600`,
      ]);
      await boxes.until(image, 'ls /ready', '/ready\n');
    });
    afterAll(() => boxes.remove(image));

    const idOf = async (user: string, words: readonly string[] = []): Promise<string> => {
      const ran = await docker(engine.socket, [
        'exec',
        '-u',
        user,
        ...words,
        'users',
        'sh',
        '-c',
        'id -u; id -g; id -G',
      ]);
      return ran.exitCode === 0 ? ran.stdout.trim().replaceAll('\n', ' | ') : ran.stderr;
    };

    it.each([
      ['ana', '1000 | 1001 | 1001 44'],
      ['1000', '1000 | 1001 | 1001 44'],
      ['ana:video', '1000 | 44 | 44'],
      ['1234', '1234 | 0 | 0'],
      ['1234:99', '1234 | 99 | 99'],
      ['root', '0 | 0 | 0 63'],
    ])('%s is found in the image', async (user, expected) => {
      expect(await idOf(user)).toBe(expected);
    });

    it('a name that is not there is refused', async () => {
      expect(await idOf('nobody-here')).toContain(
        'unable to find user nobody-here: no matching entries in passwd file',
      );
    });

    it('groups are added by number and name', async () => {
      expect(await outputOf('id -G', { GroupAdd: ['44', '63'] }, { User: '1000' })).toBe('0 44 63');
      await expect(boxes.run('true', { host: { GroupAdd: ['nosuch'] } })).rejects.toThrow(
        'unable to find group nosuch: no matching entries in group file',
      );
    });

    it('a number without an entry has root’s group and none of root’s others', async () => {
      expect(await outputOf('grep ^Groups /proc/self/status', {}, { User: '4242' })).toBe('Groups:\t0');
    });
  });

  describe.skipIf(init === null)(`82: --init${init === null ? ' (skipped: tini is not installed)' : ''}`, () => {
    it('is process 1, hands on signals and gives on the exit code', async () => {
      const host = { Init: true };
      expect(await outputOf("tr '\\0' ' ' < /proc/1/cmdline", host)).toMatch(/^\/sbin\/docker-init -- sh -c/);
      expect((await boxes.run('exit 7', { host })).exitCode).toBe(7);
      const id = await boxes.keep({ host }, ['sleep', '600']);
      // Before it has its child, process 1 would not hear the signal.
      await boxes.until(id, 'pidof sleep > /dev/null && echo child', 'child\n');
      const stopped = await call(engine.socket, 'POST', `/containers/${id}/stop?t=30`);
      expect(stopped.status).toBe(204);
      expect((await boxes.inspect<{ State: object }>(id)).State).toMatchObject({ ExitCode: 143 });
      expect(await boxes.inspect<{ Path: string; HostConfig: object }>(id)).toMatchObject({
        Path: 'sleep',
        HostConfig: { Init: true },
      });
      await boxes.remove(id);
    });

    it('reaps what others leave behind', async () => {
      // An orphan of process 1, seen to be there and then, zombie or not, seen to be gone.
      const script = "sh -c 'sleep 0.1 &'; while pidof sleep > /dev/null; do usleep 20000; done; echo reaped";
      expect(await outputOf(script, { Init: true })).toBe('reaped');
    });

    it('is none where the processes are those of others', async () => {
      expect(await outputOf('echo plain', { Init: true, PidMode: 'host' })).toBe('plain');
    });
  });
});
