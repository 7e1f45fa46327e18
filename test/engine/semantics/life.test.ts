import { readFileSync } from 'node:fs';
import http from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker, eventually } from '../docker.ts';
import { actionsOf, pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface State {
  readonly Status: string;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  readonly FinishedAt: string;
}
interface Inspect {
  readonly Id: string;
  readonly Name: string;
  readonly RestartCount: number;
  readonly State: State;
}

const restarts = (Name: string, MaximumRetryCount = 0): Readonly<Record<string, unknown>> => ({
  RestartPolicy: { Name, MaximumRetryCount },
});

describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'docker' }],
  'semantics: the life of a container',
  () => {
    let engine: RunningEngine;
    let boxes: Boxes;
    beforeAll(async () => {
      engine = await startEngine();
      boxes = new Boxes(engine.socket);
    });
    afterAll(() => engine[Symbol.asyncDispose]());

    const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
      call(engine.socket, method, path, body);
    const inspect = (id: string): Promise<Inspect> => boxes.inspect<Inspect>(id);
    const until = (id: string, status: string): Promise<Inspect> =>
      eventually(`${id} is ${status}`, async () => {
        const seen = await inspect(id);
        return seen.State.Status === status ? seen : null;
      });
    const expectAnswer = async (method: string, path: string, status: number, message: RegExp): Promise<void> => {
      const answer = await api(method, path);
      expect(answer.status, answer.text).toBe(status);
      expect((answer.json() as { message: string }).message).toMatch(message);
    };

    it('1, 2: looks up by id, then by name, then by the beginning of an id', async () => {
      const { id } = await boxes.create('true', { name: 'lookup' });
      const twin = (await boxes.create('true', { name: id.slice(0, 12) })).id;
      expect((await inspect(id.slice(0, 12))).Id).toBe(twin);
      expect((await inspect(id.slice(0, 11))).Id).toBe(id);
      expect((await inspect('%2Flookup')).Id).toBe(id);
      await expectAnswer('GET', '/containers/nobody/json', 404, /^No such container: nobody$/);
      await boxes.remove(id);
      await boxes.remove(twin);
    });

    it('1: an ambiguous beginning of an id is 400', async () => {
      const made = await Promise.all(Array.from({ length: 17 }, () => boxes.create('true')));
      const digits = made.map(({ id }) => id.slice(0, 1));
      const twice = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? '';
      await expectAnswer('GET', `/containers/${twice}/json`, 400, /multiple IDs found with provided prefix/);
      await Promise.all(made.map(({ id }) => boxes.remove(id)));
    });

    it('4: a name of one letter is none, and a taken name tells who has it', async () => {
      const { id } = await boxes.create('true', { name: 'taken' });
      await expect(boxes.create('true', { name: 'a' })).rejects.toThrow(/400 .*Invalid container name \(a\)/);
      await expect(boxes.create('true', { name: 'taken' })).rejects.toThrow(new RegExp(`409 .*/taken.*${id}`));
      await boxes.remove(id);
      await boxes.remove((await boxes.create('true', { name: 'taken' })).id);
    });

    it('6: renames, running or not, and tells the old name', async () => {
      const id = await boxes.keep({ name: 'old-name' });
      const other = (await boxes.create('true', { name: 'other-name' })).id;
      for (const [name, status, message] of [
        ['old-name', 400, /^Renaming a container with the same name as its current name$/],
        ['', 400, /^Neither old nor new names may be empty$/],
        ['other-name', 409, /^Error when allocating new name: Conflict\. The container name "\/other-name"/],
        ['a', 400, /^Error when allocating new name: Invalid container name \(\/a\), only/],
      ] as const)
        await expectAnswer('POST', `/containers/${id}/rename?name=${name}`, status, message);
      expect((await api('POST', `/containers/old-name/rename?name=%2Fnew-name`)).status).toBe(204);
      expect(await inspect('new-name')).toMatchObject({ Id: id, Name: '/new-name' });
      expect((await api('GET', '/containers/old-name/json')).status).toBe(404);
      const [renamed] = await pastEvents(engine.socket, { event: ['rename'] });
      expect(renamed?.Actor).toMatchObject({ ID: id, Attributes: { name: 'new-name', oldName: '/old-name' } });
      await engine.crash();
      await engine.start();
      expect(await inspect('new-name')).toMatchObject({ Id: id, State: { Status: 'running' } });
      await boxes.remove((await boxes.create('true', { name: 'old-name' })).id);
      await boxes.remove(id);
      await boxes.remove(other);
    });

    it('9, 11: refuses at create what cannot be run, and makes nothing', async () => {
      for (const [query, body, status, message] of [
        ['', { Image: 'nosuch' }, 404, /^No such image: nosuch:latest$/],
        ['', { Image: 'hello', Entrypoint: [''] }, 400, /^no command specified$/],
        ['&platform=linux/s390x', { Image: 'hello' }, 404, /^image with reference hello was found but its platform/],
        ['&platform=a/b/c/d', { Image: 'hello' }, 400, /cannot parse platform specifier/],
      ] as const) {
        const answer = await api('POST', `/containers/create?name=unborn${query}`, body);
        expect(answer.status, answer.text).toBe(status);
        expect((answer.json() as { message: string }).message).toMatch(message);
        expect((await api('GET', '/containers/unborn/json')).status).toBe(404);
      }
    });

    it('16: a start of what is paused is 409, and a start has no body', async () => {
      const id = await boxes.keep();
      expect((await api('POST', `/containers/${id}/start`)).status).toBe(304);
      await api('POST', `/containers/${id}/pause`);
      await expectAnswer(
        'POST',
        `/containers/${id}/start`,
        409,
        /^cannot start a paused container, try unpause instead$/,
      );
      const body = await api('POST', `/containers/${id}/start`, { Binds: ['/a:/b'] });
      expect(body.status).toBe(400);
      expect(body.text).toContain('starting container with non-empty request body was deprecated');
      await boxes.remove(id);
    });

    it('17, 27: pausing freezes every process, is running and paused, and a stop thaws', async () => {
      const id = await boxes.keep({ config: { StopSignal: 'KILL' } });
      const { State } = await inspect(id);
      expect((await api('POST', `/containers/${id}/pause`)).status).toBe(204);
      expect((await inspect(id)).State).toMatchObject({
        Status: 'paused',
        Running: true,
        Paused: true,
        Pid: State.Pid,
      });
      expect(readFileSync(`/proc/${State.Pid}/status`, 'utf8')).toMatch(/State:\s+[DST]/);
      await expectAnswer('POST', `/containers/${id}/pause`, 409, /is already paused$/);
      await expectAnswer('DELETE', `/containers/${id}`, 409, /container is paused and must be unpaused first$/);
      expect((await api('POST', `/containers/${id}/unpause`)).status).toBe(204);
      await expectAnswer('POST', `/containers/${id}/unpause`, 500, /is not paused$/);
      await api('POST', `/containers/${id}/pause`);
      expect((await api('POST', `/containers/${id}/stop`)).status).toBe(204);
      expect((await inspect(id)).State).toMatchObject({ Status: 'exited', ExitCode: 137, Paused: false });
      await expectAnswer('POST', `/containers/${id}/pause`, 409, /is not running$/);
      const actions = await actionsOf(engine.socket, id);
      expect(actions.slice(2)).toEqual(['pause', 'unpause', 'pause', 'kill', 'unpause', 'die', 'stop']);
      await boxes.remove(id);
    });

    it('27: a paused container stays paused when skiffd goes, and can be removed by force', async () => {
      const id = await boxes.keep();
      await api('POST', `/containers/${id}/pause`);
      await engine.crash();
      await engine.start();
      expect((await inspect(id)).State).toMatchObject({ Status: 'paused', Running: true });
      expect((await api('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
    });

    it('19: a port that is taken leaves it created, and no policy tries again', async () => {
      const ports = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } };
      const bridge = { NetworkMode: 'default', ...ports };
      const config = { ExposedPorts: { '80/tcp': {} } };
      const holder = await boxes.keep({ host: bridge, config });
      const { NetworkSettings } = await boxes.inspect<{
        NetworkSettings: { Ports: Record<string, { HostPort: string }[]> };
      }>(holder);
      const HostPort = NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
      const taken = {
        ...bridge,
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort }] },
        ...restarts('always'),
      };
      const { id } = await boxes.create(['sleep', '600'], { host: taken, config });
      expect(await api('POST', `/containers/${id}/start`)).toMatchObject({
        status: 500,
        text: expect.stringContaining('port is already allocated') as string,
      });
      expect((await inspect(id)).State).toMatchObject({ Status: 'created', ExitCode: 128, Restarting: false });
      expect(await actionsOf(engine.socket, id)).toEqual(['create']);
      await boxes.remove(holder);
      await boxes.start(id);
      await boxes.remove(id);
    });

    it('20: who is killed for want of memory tells it, before its end', async () => {
      const eater = ['sh', '-c', 'x=$(head -c 40000000 /dev/zero | tr "\\0" x); echo ${#x}'];
      const { id } = await boxes.create(eater, { host: { Memory: 8 << 20, MemorySwap: 8 << 20 } });
      await boxes.start(id);
      const { State } = await until(id, 'exited');
      expect(State).toMatchObject({ ExitCode: 137, OOMKilled: true });
      expect((await actionsOf(engine.socket, id)).slice(-2)).toEqual(['oom', 'die']);
      await boxes.remove(id);
    });

    it('47: docker run tells its events in docker’s order', async () => {
      const ran = await docker(engine.socket, ['run', '--rm', '--name', 'in-order', 'hello', 'echo', 'hi']);
      expect(ran).toMatchObject({ exitCode: 0, stdout: 'hi\n' });
      const [created] = await pastEvents(engine.socket, { container: ['in-order'], event: ['create'] });
      const id = created?.Actor.ID ?? '';
      const all = await pastEvents(engine.socket, {});
      const own = all.filter(({ Actor }) => Actor.ID === id || Actor.Attributes['container'] === id);
      expect(own.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual([
        'container create',
        'container attach',
        'network connect',
        'container start',
        'container die',
        'network disconnect',
        'container destroy',
      ]);
    });

    it('21: a stop waits for as long as it was told, and its client’s going does not end it', async () => {
      const id = await boxes.keep({ config: { StopTimeout: 1 } }, [
        'sh',
        '-c',
        'trap "" TERM; while :; do sleep 0.1; done',
      ]);
      const gone = new AbortController();
      const stopping = fetchAborted(engine.socket, `/containers/${id}/stop`, gone.signal);
      await eventually('the signal', async () => ((await actionsOf(engine.socket, id)).includes('kill') ? true : null));
      gone.abort();
      await stopping;
      expect((await until(id, 'exited')).State.ExitCode).toBe(137);
      await boxes.remove(id);
    });

    it('22: what kill means depends on the signal', async () => {
      await expectAnswer('POST', `/containers/nobody/kill`, 404, /No such container/);
      const script = 'trap "exit 3" HUP; while :; do sleep 0.05; done';
      const hupped = await boxes.keep({ host: restarts('always'), config: { StopSignal: 'TERM' } }, [
        'sh',
        '-c',
        script,
      ]);
      await expectAnswer(
        'POST',
        `/containers/${hupped}/kill?signal=odd`,
        400,
        /^cannot kill container: .*: invalid signal: odd$/,
      );
      // Not its stop signal: the policy goes on.
      await signalWhenReady(hupped);
      await eventually('a restart', async () => ((await inspect(hupped)).RestartCount > 0 ? true : null));
      await boxes.remove(hupped);
      // Without a stop signal of its own any signal ends it for good.
      const ended = await boxes.keep({ host: restarts('always') }, ['sh', '-c', script]);
      await signalWhenReady(ended);
      expect(await until(ended, 'exited')).toMatchObject({ RestartCount: 0, State: { ExitCode: 3 } });
      await expectAnswer('POST', `/containers/${ended}/kill`, 409, /^cannot kill container: .* is not running$/);
      await boxes.remove(ended);

      async function signalWhenReady(id: string): Promise<void> {
        const { State } = await inspect(id);
        // HUP is in the mask of caught signals once the trap stands.
        await eventually('the trap', () => (/^SigCgt:\s+\w*[13579bdf]$/m.test(statusOf(State.Pid)) ? true : null));
        expect((await api('POST', `/containers/${id}/kill?signal=HUP`)).status).toBe(204);
      }
    });

    it('23: on-failure counts, and a success ends it', async () => {
      const { id } = await boxes.create('exit 3', { host: restarts('on-failure', 2) });
      await boxes.start(id);
      const failed = await eventually('the last exit', async () => {
        const seen = await inspect(id);
        return seen.State.Status === 'exited' && seen.RestartCount === 2 ? seen : null;
      });
      expect(failed.State).toMatchObject({ ExitCode: 3, Running: false, Restarting: false });
      expect((await actionsOf(engine.socket, id)).filter((action) => action === 'die')).toHaveLength(3);
      expect((await api('POST', `/containers/${id}/start`)).status).toBe(204);
      // It counts from the beginning again: what had been counted would allow no further try.
      await eventually('three more ends', async () =>
        (await actionsOf(engine.socket, id)).filter((action) => action === 'die').length === 6 ? true : null,
      );
      await boxes.remove(id);
      const fine = (await boxes.create('exit 0', { host: restarts('on-failure') })).id;
      await boxes.start(fine);
      expect(await until(fine, 'exited')).toMatchObject({ RestartCount: 0 });
      await boxes.remove(fine);
    });

    it('23, 24: waits longer each time; meanwhile it is restarting, running and without a process', async () => {
      const { id } = await boxes.create('exit 4', { host: restarts('always') });
      await boxes.start(id);
      // The sixth wait is 3.2 s: time for all the questions below.
      const waiting = await eventually('the sixth wait', async () => {
        const seen = await inspect(id);
        return seen.RestartCount === 6 && seen.State.Status === 'restarting' ? seen : null;
      });
      expect(waiting.State).toMatchObject({ Running: true, Restarting: true, Pid: 0, ExitCode: 4 });
      const [listed] = (await api('GET', `/containers/json?filters={"id":["${id}"]}`)).json() as { Status: string }[];
      expect(listed?.Status).toMatch(/^Restarting \(4\) .* ago$/);
      await expectAnswer('POST', `/containers/${id}/pause`, 409, /is restarting, wait until the container is running$/);
      await expectAnswer('DELETE', `/containers/${id}`, 409, /container is restarting: stop the container before/);
      expect((await api('POST', `/containers/${id}/stop`)).status).toBe(204);
      expect(await inspect(id)).toMatchObject({ RestartCount: 6, State: { Status: 'exited', ExitCode: 4 } });
      expect(await pastEvents(engine.socket, { container: [id], event: ['start', 'die'] })).toHaveLength(12);
      await boxes.remove(id);
    });

    it('24: removal by force ends the wait', async () => {
      const { id } = await boxes.create('exit 4', { host: restarts('always') });
      await boxes.start(id);
      await until(id, 'restarting');
      expect((await api('DELETE', `/containers/${id}?force=1`)).status).toBe(204);
      expect((await api('GET', `/containers/${id}/json`)).status).toBe(404);
    });

    it('23: the wait for a restart goes on when skiffd comes back', async () => {
      const { id } = await boxes.create('exit 4', { host: restarts('always') });
      await boxes.start(id);
      const { RestartCount } = await until(id, 'restarting');
      await engine.crash();
      await engine.start();
      await eventually('a further restart', async () =>
        (await inspect(id)).RestartCount > RestartCount ? true : null,
      );
      await boxes.remove(id);
    });

    it('23: at boot always starts what was stopped, on-failure what failed, unless-stopped neither', async () => {
      const [always = '', onFailure = '', unlessStopped = '', none = ''] = await Promise.all(
        ['always', 'on-failure', 'unless-stopped', 'no'].map((policy) => boxes.keep({ host: restarts(policy) })),
      );
      const fresh = (await boxes.create('sleep 600', { host: restarts('always') })).id;
      const all = [always, onFailure, unlessStopped, none];
      await Promise.all(all.map((id) => api('POST', `/containers/${id}/stop?t=0`)));
      await engine.stop();
      await engine.start();
      await until(always, 'running');
      await until(onFailure, 'running');
      const others = await Promise.all([unlessStopped, none, fresh].map((id) => inspect(id)));
      expect(others.map(({ State }) => State.Status)).toEqual(['exited', 'exited', 'created']);
      // Not stopped by anybody: its exit while no skiffd was there is caught up.
      await boxes.start(unlessStopped);
      const { State } = await inspect(unlessStopped);
      await engine.crash();
      process.kill(State.Pid, 'SIGKILL');
      await engine.start();
      await eventually('the restart', async () => {
        const seen = await inspect(unlessStopped);
        return seen.State.Status === 'running' && seen.State.Pid !== State.Pid ? true : null;
      });
      await Promise.all([...all, fresh].map((id) => boxes.remove(id)));
    });

    it('14: a restart policy does not go with --rm, and must be one', async () => {
      for (const [host, message] of [
        [{ AutoRemove: true, ...restarts('always') }, /can't create 'AutoRemove' container with restart policy/],
        [restarts('odd'), /unknown policy 'odd'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'/],
        [restarts('always', 3), /maximum retry count can only be used with 'on-failure'"/],
        [restarts('on-failure', -3), /maximum retry count cannot be negative/],
      ] as const)
        await expect(boxes.create('true', { host: { ...host } })).rejects.toThrow(message);
    });

    it('25: a restart by hand keeps a container with --rm, and tells docker’s events', async () => {
      const id = await boxes.keep({ host: { AutoRemove: true }, config: { StopSignal: 'KILL' } });
      const { State } = await inspect(id);
      expect((await api('POST', `/containers/${id}/restart`)).status).toBe(204);
      const after = await inspect(id);
      expect(after).toMatchObject({ RestartCount: 0, State: { Status: 'running' } });
      expect(after.State.Pid).not.toBe(State.Pid);
      expect(Date.parse(after.State.FinishedAt)).toBeGreaterThan(0);
      expect((await actionsOf(engine.socket, id)).slice(2)).toEqual(['kill', 'die', 'stop', 'start', 'restart']);
      await api('POST', `/containers/${id}/stop`);
      await eventually('the removal', async () =>
        (await api('GET', `/containers/${id}/json`)).status === 404 ? true : null,
      );
    });

    it('26: update changes limits at once, keeps them, and changes nothing when it is refused', async () => {
      const id = await boxes.keep({ host: { Memory: 64 << 20, MemorySwap: 128 << 20 } });
      const limits = async (): Promise<object> => (await boxes.inspect<{ HostConfig: object }>(id)).HostConfig;
      const update = (body: object): Promise<Answer> => api('POST', `/containers/${id}/update`, body);
      expect((await update({ Memory: 96 << 20, PidsLimit: 77, ...restarts('on-failure', 4) })).json()).toEqual({
        Warnings: null,
      });
      const seen = { Memory: 96 << 20, PidsLimit: 77, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 4 } };
      expect(await limits()).toMatchObject(seen);
      expect(readFileSync(await cgroupFile(id, 'pids', 'pids.max'), 'utf8')).toBe('77\n');
      for (const [body, status, message] of [
        [{ Memory: 256 << 20 }, 409, /^Cannot update container .*: Memory limit should be smaller than already set/],
        [{ Memory: 1000 }, 400, /^Minimum memory limit allowed is 6MB$/],
        [restarts('odd'), 400, /unknown policy 'odd'/],
      ] as const) {
        const answer = await update(body);
        expect(answer.status).toBe(status);
        expect((answer.json() as { message: string }).message).toMatch(message);
      }
      await engine.crash();
      await engine.start();
      expect(await limits()).toMatchObject(seen);
      await boxes.remove(id);
      const removed = await boxes.keep({ host: { AutoRemove: true } });
      const refused = await api('POST', `/containers/${removed}/update`, restarts('always'));
      expect(refused).toMatchObject({
        status: 409,
        text: expect.stringContaining('because AutoRemove is enabled') as string,
      });
      await boxes.remove(removed);
    });

    async function cgroupFile(id: string, controller: string, file: string): Promise<string> {
      const { State } = await inspect(id);
      const lines = readFileSync(`/proc/${State.Pid}/cgroup`, 'utf8').split('\n');
      const v1 = lines.find((line) => line.split(':')[1]?.split(',').includes(controller) === true);
      return v1 === undefined
        ? `/sys/fs/cgroup${lines[0]?.split(':')[2] ?? ''}/${file}`
        : `/sys/fs/cgroup/${controller}${v1.split(':')[2] ?? ''}/${file}`;
    }
  },
);

function statusOf(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'utf8');
}

/** A POST whose client goes away when the signal says so. */
async function fetchAborted(socketPath: string, path: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const sent = http.request({ socketPath, method: 'POST', path, signal }, () => resolve());
    sent.once('error', () => resolve());
    sent.end();
  });
}
