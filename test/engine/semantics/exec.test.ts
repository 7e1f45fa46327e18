import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ExecInspect } from '../../../api/exec.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { framesOf, openRaw, type RawStream } from '../raw-stream.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'semantics: exec', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
    await run('main', ['sleep', '600'], ['-e', 'FROM=container', '--workdir', '/tmp']);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const run = async (name: string, command: readonly string[], flags: readonly string[] = []): Promise<string> => {
    const ran = await docker(engine.socket, [
      'run',
      '-d',
      '--network',
      'none',
      '--name',
      name,
      ...flags,
      'hello',
      ...command,
    ]);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    return ran.stdout.trim();
  };
  const post = (path: string, body?: unknown): Promise<Answer> => call(engine.socket, 'POST', path, body);
  const create = (container: string, body: object): Promise<Answer> =>
    post(`/v1.45/containers/${container}/exec`, { AttachStdout: true, AttachStderr: true, ...body });
  const made = async (container: string, body: object): Promise<string> => {
    const answer = await create(container, body);
    expect(answer.status, answer.text).toBe(201);
    return (answer.json() as { Id: string }).Id;
  };
  const inspect = async (id: string): Promise<ExecInspect> =>
    (await call(engine.socket, 'GET', `/v1.45/exec/${id}/json`)).json() as ExecInspect;
  const start = (id: string, more: Partial<Parameters<typeof openRaw>[1]> = {}): Promise<RawStream> =>
    openRaw(engine.socket, { path: `/v1.45/exec/${id}/start`, body: { Detach: false }, ...more });
  const outputOf = async (container: string, body: object): Promise<readonly string[]> => {
    using stream = await start(await made(container, body));
    return framesOf(await stream.end());
  };

  /** Of the events that name this exec. */
  const actionsOf = async (id: string): Promise<readonly string[]> => {
    const until = String(Date.now() / 1000 + 0.05);
    const { text } = await call(engine.socket, 'GET', `/events?since=1&until=${until}`);
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { Action: string; Actor: { Attributes: Record<string, string> } })
      .filter(({ Actor }) => Actor.Attributes['execID'] === id)
      .map(({ Action, Actor: { Attributes: told } }) =>
        told['exitCode'] === undefined ? Action : `${Action} exit ${told['exitCode']}`,
      );
  };

  it('40: is refused for a container that does not run, is paused, or waits for its restart', async () => {
    await run('stopped', ['true']);
    await docker(engine.socket, ['wait', 'stopped']);
    const stopped = await create('stopped', { Cmd: ['true'] });
    expect(stopped.status).toBe(409);
    expect(stopped.json()).toEqual({ message: expect.stringMatching(/^container [0-9a-f]{64} is not running$/) });
    await run('paused', ['sleep', '60']);
    await post('/containers/paused/pause');
    const paused = await create('paused', { Cmd: ['true'] });
    expect([paused.status, paused.json()]).toEqual([
      409,
      { message: 'Container paused is paused, unpause the container before exec' },
    ]);
    await post('/containers/paused/unpause');
    expect((await create('nobody', { Cmd: ['true'] })).status).toBe(404);
  });

  it('40: has a command and a user that is there', async () => {
    for (const body of [{}, { Cmd: [] }, { Cmd: null }]) {
      const answer = await create('main', body);
      expect([answer.status, answer.json()]).toEqual([400, { message: 'No exec command specified' }]);
    }
    const answer = await create('main', { Cmd: ['true'], User: 'nosuch' });
    expect([answer.status, answer.json()]).toEqual([
      400,
      { message: 'unable to find user nosuch: no matching entries in passwd file' },
    ]);
  });

  it('40: gives both streams in frames, and its exit code afterwards', async () => {
    const id = await made('main', { Cmd: ['sh', '-c', 'echo out; sleep 0.05; echo err >&2; exit 3'] });
    expect(await inspect(id)).toMatchObject({ Running: false, ExitCode: null, Pid: 0 });
    using stream = await start(id);
    expect([stream.status, stream.contentType]).toEqual([101, 'application/vnd.docker.multiplexed-stream']);
    expect(framesOf(await stream.end())).toEqual(['stdout: out\n', 'stderr: err\n']);
    expect(await inspect(id)).toMatchObject({ Running: false, ExitCode: 3, ID: id, CanRemove: false });
  });

  it('40: runs without an upgrade too, and takes input in both ways', async () => {
    const body = { Cmd: ['cat'], AttachStdin: true };
    using plain = await start(await made('main', body), { upgrade: 'none' });
    expect([plain.status, plain.contentType]).toEqual([200, 'application/vnd.docker.raw-stream']);
    plain.socket.end('plain\n');
    expect(framesOf(await plain.end())).toEqual(['stdout: plain\n']);
    using upgraded = await start(await made('main', body), { early: 'early ' });
    upgraded.socket.end('late\n');
    expect(framesOf(await upgraded.end())).toEqual(['stdout: early late\n']);
  });

  it('40: takes a body in chunks before the switch', async () => {
    const id = await made('main', { Cmd: ['cat'], AttachStdin: true });
    using stream = await openRaw(engine.socket, {
      path: `/v1.45/exec/${id}/start`,
      headers: { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' },
      early: '5\r\n{"Tty\r\n8\r\n":false}\r\n0\r\n\r\ninput\n',
    });
    stream.socket.end();
    expect(framesOf(await stream.end())).toEqual(['stdout: input\n']);
  });

  it('40: starts once: the second time is a conflict, told in the stream to who is attached', async () => {
    const id = await made('main', { Cmd: ['true'] });
    using first = await start(id);
    await first.end();
    const message = `exec command ${id} has already run`;
    const detached = await post(`/exec/${id}/start`, { Detach: true });
    expect([detached.status, detached.json()]).toEqual([409, { message }]);
    using second = await start(id);
    expect(framesOf(await second.end())).toEqual([`stdout: ${message}\r\n`]);
  });

  it.each([
    ['nosuch', 127, 'exec: "nosuch": executable file not found in $PATH'],
    ['/etc', 126, 'exec: "/etc": permission denied'],
    ['/etc/passwd', 126, 'exec: "/etc/passwd": permission denied'],
  ])('40. says why %s cannot be run, and %d lands in its inspect', async (program, exitCode, text) => {
    const id = await made('main', { Cmd: [program] });
    using stream = await start(id);
    const [told] = framesOf(await stream.end());
    expect(told).toMatch(/^stdout: OCI runtime exec failed: exec failed: unable to start container process: /);
    expect(told).toContain(text);
    expect(await inspect(id)).toMatchObject({ Running: false, ExitCode: exitCode, Pid: 0 });
    const detached = await post(`/exec/${await made('main', { Cmd: [program] })}/start`, { Detach: true });
    expect(detached.status).toBe(400);
    expect(detached.json()).toEqual({ message: expect.stringContaining(text) });
  });

  it('40: says that a working directory is not there', async () => {
    const id = await made('main', { Cmd: ['pwd'], WorkingDir: '/nosuch' });
    using stream = await start(id);
    expect(framesOf(await stream.end())[0]).toContain('chdir to cwd ("/nosuch") set in config.json failed');
    expect((await inspect(id)).ExitCode).toBe(127);
  });

  it('40: detached, answers once it runs', async () => {
    const id = await made('main', { Cmd: ['sleep', '60'] });
    const answer = await post(`/exec/${id}/start`, { Detach: true });
    expect(answer.status).toBe(200);
    const { Running: isRunning, Pid: pid } = await inspect(id);
    expect(isRunning).toBe(true);
    expect(pid).toBeGreaterThan(1);
  });

  it('41: has the container’s variables, working directory and user unless it says otherwise', async () => {
    const show = 'echo $FROM,$OWN,$HOME; pwd; id -u; id -g; echo ${TERM-none}';
    expect(await outputOf('main', { Cmd: ['sh', '-c', show], Env: ['OWN=1'] })).toEqual([
      'stdout: container,1,/root\n/tmp\n0\n0\nnone\n',
    ]);
    expect(
      await outputOf('main', {
        Cmd: ['sh', '-c', show],
        Env: ['FROM=exec', 'HOME=/there'],
        WorkingDir: '/etc',
        User: '1000:5',
      }),
    ).toEqual(['stdout: exec,,/there\n/etc\n1000\n5\nnone\n']);
  });

  it('41: may do what its container may do, and privileged all', async () => {
    const show = ['grep', '-E', 'CapInh|CapEff|CapBnd|Seccomp:|NoNewPrivs', '/proc/self/status'];
    const own = (await docker(engine.socket, ['run', '--rm', '--network', 'none', 'hello', ...show])).stdout;
    expect(await outputOf('main', { Cmd: show })).toEqual([`stdout: ${own}`]);
    expect(own).toMatch(/CapInh:\t0+\n/);
    expect(own).toMatch(/Seccomp:\t2/);
    const [all] = await outputOf('main', { Cmd: show, Privileged: true });
    expect(all).toMatch(/CapInh:\t0+\n/);
    expect(all).not.toContain(/CapBnd:\t(.*)/.exec(own)?.[1]);
    const [user] = await outputOf('main', { Cmd: show, User: '1000' });
    expect(user).toMatch(/CapEff:\t0+\n/);
  });

  it('41: has no more descriptors than its three', async () => {
    const [files] = await outputOf('main', { Cmd: ['sh', '-c', 'ls /proc/$$/fd; cat /proc/self/oom_score_adj'] });
    expect(files).toBe('stdout: 0\n1\n2\n0\n');
  });

  it('41: is in the inspect of its container while it lives, and in its process list', async () => {
    await run('listing', ['sleep', '60']);
    const idsOf = async (): Promise<unknown> =>
      ((await call(engine.socket, 'GET', '/containers/listing/json')).json() as { ExecIDs: unknown }).ExecIDs;
    expect(await idsOf()).toBeNull();
    const id = await made('listing', { Cmd: ['cat'], AttachStdin: true });
    expect(await idsOf()).toEqual([id]);
    using stream = await start(id);
    await eventually('it to run', async () => ((await inspect(id)).Running ? true : null));
    expect(await idsOf()).toEqual([id]);
    stream.socket.end();
    await stream.end();
    expect(await idsOf()).toBeNull();
  });

  it('41: ends with its container, can be asked about afterwards, and goes when that is removed', async () => {
    await run('ending', ['sleep', '60']);
    const id = await made('ending', { Cmd: ['sleep', '60'] });
    using stream = await start(id);
    await eventually('it to run', async () => ((await inspect(id)).Running ? true : null));
    await post('/containers/ending/kill');
    await stream.end();
    expect(await inspect(id)).toMatchObject({ Running: false, ExitCode: 137 });
    expect((await post(`/exec/${id}/start`, { Detach: true })).status).toBe(409);
    await call(engine.socket, 'DELETE', '/containers/ending?force=1');
    const gone = await call(engine.socket, 'GET', `/exec/${id}/json`);
    expect([gone.status, gone.json()]).toEqual([404, { message: `No such exec instance: ${id}` }]);
  });

  it('41: runs until its output has been read, also when the client leaves', async () => {
    const id = await made('main', { Cmd: ['sh', '-c', 'echo first; read x; exit 4'], AttachStdin: true });
    using stream = await start(id);
    await stream.until((text) => text.includes('first'), 'the first line');
    stream.socket.destroy();
    await eventually('its end', async () => ((await inspect(id)).ExitCode === null ? null : true));
    // Its input has ended with the client; `read` fails, and the shell goes on.
    expect((await inspect(id)).ExitCode).toBe(4);
  });

  it('41: survives an engine that is killed, and its exit code is known to the next one', async () => {
    await run('surviving', ['sleep', '600']);
    const long = await made('surviving', { Cmd: ['sh', '-c', 'while [ ! -e /go ]; do sleep 0.02; done; exit 5'] });
    const short = await made('surviving', { Cmd: ['sh', '-c', 'while [ ! -e /go ]; do sleep 0.02; done; exit 6'] });
    for (const id of [long, short]) expect((await post(`/exec/${id}/start`, { Detach: true })).status).toBe(200);
    await engine.crash();
    await engine.start();
    expect(await inspect(long)).toMatchObject({ Running: true, ExitCode: null });
    expect(await outputOf('surviving', { Cmd: ['touch', '/go'] })).toEqual([]);
    for (const [id, exitCode] of [
      [long, 5],
      [short, 6],
    ] as const)
      await eventually('its end', async () => ((await inspect(id)).ExitCode === exitCode ? true : null));
  });

  it('42: has a terminal of the size that it was given, before and after its start', async () => {
    // crun 1.8 starts the command a moment before its terminal has its size.
    const show = 'until [ -n "$(stty size 2>/dev/null)" ]; do :; done; stty size; read x; stty size; tty';
    const body = { Cmd: ['sh', '-c', show], Tty: true, AttachStdin: true, ConsoleSize: [31, 91] };
    const id = await made('main', body);
    using stream = await start(id, { body: { Tty: true, ConsoleSize: [32, 92] } });
    expect(stream.contentType).toBe('application/vnd.docker.raw-stream');
    await stream.until((text) => text.includes('32 92'), 'the first size');
    // Height and width, not the other way round.
    expect((await post(`/exec/${id}/resize?h=33&w=93`)).status).toBe(200);
    stream.socket.write('go\n');
    expect((await stream.end()).toString()).toMatch(/32 92\r\ngo\r\n33 93\r\n\/dev\/pts\/\d+\r\n$/);

    const early = await made('main', { ...body, ConsoleSize: undefined });
    expect((await post(`/exec/${early}/resize?h=34&w=94`)).status).toBe(200);
    using other = await start(early, { body: { Tty: true } });
    await other.until((text) => text.includes('34 94'), 'the size of before');
    expect((await post(`/exec/${early}/resize?h=x&w=1`)).json()).toEqual({
      message: 'invalid resize height "x": invalid syntax',
    });
    other.socket.destroy();
  });

  it('33: can be left by its detach keys, and lives on', async () => {
    const id = await made('main', {
      Cmd: ['cat'],
      Tty: true,
      AttachStdin: true,
      DetachKeys: 'ctrl-x,ctrl-y',
    });
    using stream = await start(id, { body: { Tty: true } });
    stream.socket.write('\u0018a\n');
    await stream.until((text) => text.includes('^Xa\r\n'), 'a part that is not the sequence');
    stream.socket.write('\u0018');
    stream.socket.write('\u0019');
    await stream.end();
    expect((await inspect(id)).Running).toBe(true);
    expect((await create('main', { Cmd: ['true'], DetachKeys: 'bad' })).text).toContain('Invalid detach keys (bad)');
    expect(await actionsOf(id)).toContain('exec_detach');
  });

  it('46: is told in events, with the id of the exec', async () => {
    const id = await made('main', { Cmd: ['sh', '-c', 'exit 9'] });
    using stream = await start(id);
    await stream.end();
    expect(await actionsOf(id)).toEqual(['exec_create: sh -c exit 9', 'exec_start: sh -c exit 9', 'exec_die exit 9']);
  });
});
