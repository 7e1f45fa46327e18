import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { docker, eventually, type Ran } from '../docker.ts';
import { framesOf, openRaw } from '../raw-stream.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'semantics: logs', () => {
  let engine: RunningEngine;
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  const cli = (...words: readonly string[]): Promise<Ran> => docker(engine.socket, words);
  const get = (path: string): Promise<Answer> => call(engine.socket, 'GET', path);
  const run = (name: string, flags: readonly string[], command: readonly string[]): Promise<Ran> =>
    cli('run', '-d', '--network', 'none', '--name', name, ...flags, 'hello', ...command);
  /** Runs it to its end. */
  const ran = async (name: string, script: string, flags: readonly string[] = []): Promise<void> => {
    expect(await run(name, flags, ['sh', '-c', script])).toMatchObject({ exitCode: 0, stderr: '' });
    await cli('wait', name);
  };
  const logs = async (name: string, ...flags: readonly string[]): Promise<string> =>
    (await cli('logs', ...flags, name)).stdout;
  const numbers = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, at) => `${from + at}\n`).join('');
  const pathOf = async (name: string): Promise<string> =>
    ((await get(`/containers/${name}/json`)).json() as { LogPath: string }).LogPath;

  it('36: wants a stream, and a driver that keeps something', async () => {
    await ran('two', 'echo out; sleep 0.02; echo err >&2');
    const none = await get('/containers/two/logs');
    expect([none.status, none.json()]).toEqual([
      400,
      { message: 'Bad parameters: you must choose at least one stream' },
    ]);
    await ran('silent', 'echo out', ['--log-driver', 'none']);
    const silent = await get('/containers/silent/logs?stdout=1');
    expect([silent.status, silent.json()]).toEqual([
      501,
      { message: 'configured logging driver does not support reading' },
    ]);
    expect((await get('/containers/nobody/logs?stdout=1')).status).toBe(404);
    const both = await get('/v1.45/containers/two/logs?stdout=1&stderr=1');
    expect([both.status, both.headers['content-type']]).toEqual([200, 'application/vnd.docker.multiplexed-stream']);
    expect(framesOf(Buffer.from(both.text, 'latin1'))).toEqual(['stdout: out\n', 'stderr: err\n']);
  });

  it('36: gives the last lines; what is no number means all; none but the new ones with tail=0 and follow', async () => {
    expect((await run('tail', ['-i'], ['sh', '-c', 'seq 0 9; read x; seq 10 12'])).exitCode).toBe(0);
    await eventually('ten lines', async () => ((await logs('tail')).endsWith('9\n') ? true : null));
    expect(await logs('tail', '--tail', '3')).toBe(numbers(7, 10));
    expect(await logs('tail', '--tail', 'all')).toBe(numbers(0, 10));
    const odd = await get('/containers/tail/logs?stdout=1&tail=x');
    expect(framesOf(Buffer.from(odd.text, 'latin1'))).toEqual([`stdout: ${numbers(0, 10)}`]);
    await eventually('the end of those who read', async () => ((await followers('tail')) === 0 ? true : null));
    const following = cli('logs', '-f', '--tail', '0', 'tail');
    using attached = await openRaw(engine.socket, { path: '/containers/tail/attach?stream=1&stdin=1' });
    await eventually('the follower', async () => ((await followers('tail')) > 0 ? true : null));
    attached.socket.write('go\n');
    expect((await following).stdout).toBe(numbers(10, 13));
  });

  /** How many requests for this log the engine has open, by the files that it watches. */
  const followers = async (name: string): Promise<number> => {
    const folder = dirname(await pathOf(name));
    const fds = `/proc/${engine.pid()}/fd`;
    return readdirSync(fds).filter((fd) => readlink(`${fds}/${fd}`).startsWith(folder)).length;
  };

  it('36: follows to the end of the container, but not to the end of one of its runs', async () => {
    await run('again', ['--restart', 'on-failure:2'], ['sh', '-c', 'echo run; exit 1']);
    expect((await cli('logs', '-f', 'again')).stdout).toBe('run\n'.repeat(3));
  });

  it('37: compares times with nine digits, as numbers and as dates, across rotated and compressed files', async () => {
    await ran('times', 'i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done', [
      '--log-opt=max-size=4k',
      '--log-opt=max-file=20',
      '--log-opt=compress=true',
    ]);
    const stamped = (await logs('times', '-t')).trimEnd().split('\n');
    const kept = stamped.map((line) => line.split(' ')[1]);
    expect(kept.at(-1)).toBe('299');
    const at = (index: number): string => stamped.at(index)?.split(' ')[0] ?? '';
    const folder = dirname(await pathOf('times'));
    await eventually('compressed files', () => readdirSync(folder).some((name) => name.endsWith('.gz')) || null);
    expect(await logs('times', '--since', at(-5))).toBe(numbers(295, 300));
    expect(await logs('times', '--until', at(2))).toBe(
      kept
        .slice(0, 3)
        .map((line) => `${line}\n`)
        .join(''),
    );
    const [seconds = '', fraction = ''] = [
      String(Date.parse(at(-5)) / 1000).split('.')[0],
      /\.(\d+)Z/.exec(at(-5))?.[1],
    ];
    const unix = `${seconds}.${fraction.padEnd(9, '0')}`;
    const since = await get(`/containers/times/logs?stdout=1&since=${unix}`);
    expect(framesOf(Buffer.from(since.text, 'latin1'))).toEqual([`stdout: ${numbers(295, 300)}`]);
    expect((await get('/containers/times/logs?stdout=1&since=x')).status).toBe(400);
    expect((await get('/containers/times/logs?stdout=1&until=x')).status).toBe(400);
  });

  it.each([1, 2])('37. follows across rotation with max-file=%i, each line once', async (files) => {
    const name = `rotating-${files}`;
    const script =
      'read x; i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); [ $((i % 50)) = 0 ] && sleep 0.02; done';
    await run(name, ['-i', '--log-opt=max-size=16k', `--log-opt=max-file=${files}`], ['sh', '-c', script]);
    const following = cli('logs', '-f', name);
    await eventually('the follower', async () => ((await followers(name)) > 0 ? true : null));
    using attached = await openRaw(engine.socket, { path: `/containers/${name}/attach?stream=1&stdin=1` });
    attached.socket.write('go\n');
    expect((await following).stdout).toBe(numbers(0, 3000));
    const left = readdirSync(dirname(await pathOf(name))).filter((file) => file.includes('-json.log'));
    expect(left).toHaveLength(files);
  });

  it('38: joins what was stored in parts, and keeps a last line without its end', async () => {
    await ran('long', "head -c 40000 /dev/zero | tr '\\0' x; echo; printf last");
    const text = await logs('long');
    expect(text).toBe(`${'x'.repeat(40_000)}\nlast`);
    expect((await logs('long', '-t')).split('\n').map((line) => line.slice(0, 4))).toEqual([
      expect.stringMatching(/^\d{4}$/),
      expect.stringMatching(/^\d{4}$/),
    ]);
  });

  it('39: writes docker’s json-file where inspect says, bounded unless told otherwise', async () => {
    await ran('json', 'echo "<a> & \\"b\\""', ['--label', 'a=b', '-e', 'X=y', '--label', 'c=d e,f']);
    const [line = ''] = readFileSync(await pathOf('json'), 'utf8').split('\n');
    expect(JSON.parse(line)).toEqual({ log: '<a> & "b"\n', stream: 'stdout', time: expect.stringMatching(/Z$/) });
    expect(line.startsWith('{"log":"\\u003ca\\u003e \\u0026 \\"b\\"\\n","stream":"stdout","time":"')).toBe(true);
  });

  it('39: puts labels, variables and a tag into records that ask for them; details shows them', async () => {
    await ran('details', 'echo hi', [
      ...['--label', 'a=b', '--label', 'c=d e,f', '--label', 'other=x', '-e', 'X=y', '-e', 'Z=1'],
      ...['--log-opt=labels=a,c', '--log-opt=env-regex=^X', '--log-opt=tag={{.Name}}/{{.ID}}/{{ .ImageName }}'],
    ]);
    const id = (await cli('inspect', '-f', '{{.Id}}', 'details')).stdout.slice(0, 12);
    expect(await logs('details', '--details')).toBe(`X=y,a=b,c=d+e%2Cf,tag=details%2F${id}%2Fhello hi\n`);
    const [line = ''] = readFileSync(await pathOf('details'), 'utf8').split('\n');
    expect(line).toContain(
      `"stream":"stdout","attrs":{"X":"y","a":"b","c":"d e,f","tag":"details/${id}/hello"},"time":"`,
    );
    expect(await logs('json', '--details')).toBe(' <a> & "b"\n');
    expect((await logs('details', '--details', '-t')).split(' ')[1]).toMatch(/^X=y,/);
  });

  it.each([
    [['--log-driver', 'foo'], "no log driver named 'foo' is registered"],
    [['--log-opt', 'foo=1'], "unknown log opt 'foo' for json-file log driver"],
    [['--log-driver', 'local', '--log-opt', 'labels=a'], "unknown log opt 'labels' for log driver local"],
    [['--log-driver', 'syslog', '--log-opt', 'syslog-address=foo'], "unsupported scheme: ''"],
    [['--log-driver', 'syslog', '--log-opt', 'syslog-facility=x'], 'invalid syslog facility'],
    [['--log-opt', 'mode=x'], 'logger: logging mode not supported: x'],
    [['--log-opt', 'max-buffer-size=1m'], "max-buffer-size option is only supported with 'mode=non-blocking'"],
    [['--log-opt', 'max-size=x'], "error parsing option max-size: invalid size: 'x'"],
    [['--log-opt', 'max-file=0'], 'max-file cannot be less than 1'],
    [['--log-opt', 'tag={{.Foo}}'], 'there is no field Foo'],
  ])('a create with %j is refused: %s', async (flags, message) => {
    const created = await cli('create', ...flags, 'hello', 'true');
    expect(created.exitCode).toBe(1);
    expect(created.stderr).toContain(message);
  });

  it('the driver local can be read and names no path; its older files are compressed', async () => {
    await ran('local', 'seq 0 999', ['--log-driver=local', '--log-opt=max-size=8k', '--log-opt=max-file=30']);
    expect(await logs('local')).toBe(numbers(0, 1000));
    expect(await logs('local', '--tail', '700')).toBe(numbers(300, 1000));
    expect(await pathOf('local')).toBe('');
    const state = (await get('/containers/local/json')).json() as { HostConfig: { LogConfig: unknown } };
    expect(state.HostConfig.LogConfig).toEqual({ Type: 'local', Config: { 'max-file': '30', 'max-size': '8k' } });
  });

  it('the driver syslog sends each line, and keeps a copy to be read', async () => {
    const server = createSocket('udp4');
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const received: string[] = [];
    server.on('message', (bytes) => received.push(bytes.toString()));
    const address = `--log-opt=syslog-address=udp://127.0.0.1:${server.address().port}`;
    await ran('sent', 'echo one; sleep 0.02; echo two >&2; printf three', [
      '--log-driver=syslog',
      address,
      '--log-opt=syslog-format=rfc5424',
      '--log-opt=tag={{.Name}}',
    ]);
    await eventually('three lines', () => (received.length === 3 ? true : null));
    server.close();
    expect(received.map((line) => line.replace(/ \S+ \S+ sent \d+ sent - /, ' - '))).toEqual([
      '<30>1 - one',
      '<27>1 - two',
      '<30>1 - three',
    ]);
    expect(await logs('sent')).toBe('one\nthree');
    const gone = await run('gone', ['--log-driver=journald'], ['true']);
    expect([gone.exitCode, gone.stderr]).toEqual([
      125,
      expect.stringContaining('failed to initialize logging driver: journald is not enabled on this host'),
    ]);
  });

  it('5,000 lines a second of 20 containers that are followed at once lose none', async () => {
    const script = 'read x; i=0; while [ $i -lt 500 ]; do echo $i; i=$((i+1)); done';
    const names = Array.from({ length: 20 }, (_, index) => `many-${index}`);
    await Promise.all(names.map((name) => run(name, ['-i'], ['sh', '-c', script])));
    const following = names.map((name) =>
      openRaw(engine.socket, {
        method: 'GET',
        upgrade: 'none',
        path: `/v1.45/containers/${name}/logs?stdout=1&follow=1`,
        headers: { Connection: 'close' },
      }),
    );
    await Promise.all(
      names.map(async (name) => {
        using attached = await openRaw(engine.socket, { path: `/containers/${name}/attach?stream=1&stdin=1` });
        attached.socket.end('go\n');
        await attached.end();
      }),
    );
    for (const opened of following) {
      using stream = await opened;
      const text = unchunked(await stream.end());
      expect(framesOf(text)).toEqual([`stdout: ${numbers(0, 500)}`]);
    }
  });
});

/** Empty for a descriptor that has been closed meanwhile. */
function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** The body of an answer that came in chunks. */
function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf('\r\n', at);
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}
