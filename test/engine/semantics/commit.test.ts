import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { actionsOf } from '../event-log.ts';
import { directory, file, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: commit', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    await loadImage(engine.socket, 'based', {
      layer: [
        directory('gone/'),
        file('gone/x', 'x'),
        directory('opaque/'),
        file('opaque/below', '3'),
        file('kept', '1'),
      ],
      config: { Labels: { from: 'base' } },
    });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(engine.socket, method, path, body);
  const ended = async (script: string): Promise<string> => {
    const { id } = await boxes.create(script, { config: { Image: 'based', Env: ['A=1'], WorkingDir: '/tmp' } });
    const exit = api('POST', `/containers/${id}/wait?condition=next-exit`);
    await boxes.start(id);
    await exit;
    return id;
  };

  it('93, 13: an image has what its container changed, and nothing that the engine put there', async () => {
    const id = await ended(
      'echo new > /new; rm -r /gone; rm -r /opaque; mkdir /opaque; echo o > /opaque/own; chmod 600 /kept',
    );
    const made = await docker(engine.socket, ['commit', '-m', 'a message', '-a', 'me', id, 'made:one']);
    expect(made.stderr).toBe('');
    const image = (await api('GET', '/images/made:one/json')).json() as Record<string, unknown>;
    expect(image).toMatchObject({ Id: made.stdout.trim(), Comment: 'a message', Author: 'me', RepoTags: ['made:one'] });
    expect(image['Config']).toMatchObject({
      Env: expect.arrayContaining(['A=1', 'PATH=/bin']) as string[],
      WorkingDir: '/tmp',
      Labels: { from: 'base' },
    });
    const script = 'cat /new; ls -d /gone 2>&1; ls -A /opaque; stat -c %a /kept; ls -A /dev/shm /etc/hostname';
    const seen = await boxes.run(script, { config: { Image: 'made:one' } });
    expect(seen.output).toBe('new\nls: /gone: No such file or directory\nown\n600\n/etc/hostname\n\n/dev/shm:\n');
    const fresh = await boxes.create('true', { config: { Image: 'made:one' } });
    expect((await api('GET', `/containers/${fresh.id}/changes`)).json()).toBeNull();
    expect(await actionsOf(engine.socket, id)).toContain('commit');
    await boxes.remove(fresh.id);
    await boxes.remove(id);
    expect((await api('DELETE', '/images/made:one')).status).toBe(200);
  });

  it('takes the lines of a Dockerfile that change a config', async () => {
    const id = await ended('true');
    const lines = [
      'CMD ["a","b"]',
      'ENV B=2 C="x y"',
      'EXPOSE 80 90/udp',
      'LABEL l=1',
      'USER u',
      'VOLUME /v',
      'WORKDIR rel',
      'ENTRYPOINT /e x',
      'STOPSIGNAL 9',
      'HEALTHCHECK --interval=5s CMD true',
    ];
    const changes = lines.flatMap((line) => ['-c', line]);
    const made = await docker(engine.socket, ['commit', ...changes, id]);
    expect(made.stderr).toBe('');
    const { Config } = (await api('GET', `/images/${made.stdout.trim()}/json`)).json() as { Config: object };
    expect(Config).toMatchObject({
      User: 'u',
      ExposedPorts: { '80/tcp': {}, '90/udp': {} },
      Env: ['A=1', 'PATH=/bin', 'B=2', 'C=x y'],
      Entrypoint: ['/bin/sh', '-c', '/e x'],
      Cmd: ['a', 'b'],
      Volumes: { '/v': {} },
      WorkingDir: '/tmp/rel',
      Labels: { from: 'base', l: '1' },
      StopSignal: '9',
    });
    for (const [line, message] of [
      ['RUN x', 'RUN is not a valid change command'],
      ['ENV', 'ENV requires at least one argument'],
      ['HEALTHCHECK --nope=1 CMD x', 'Unknown flag: nope'],
    ] as const) {
      const refused = await api('POST', `/commit?container=${id}&changes=${encodeURIComponent(line)}`);
      expect(refused).toMatchObject({ status: 400, text: expect.stringContaining(message) as string });
    }
    await boxes.remove(id);
  });

  it('pauses a container that runs, and lets it go on', async () => {
    const id = await boxes.keep();
    expect((await api('POST', `/commit?container=${id}&repo=paused`)).status).toBe(201);
    expect(await actionsOf(engine.socket, id)).toEqual(['create', 'start', 'pause', 'commit', 'unpause']);
    expect((await api('POST', `/commit?container=${id}&repo=paused&pause=0`)).status).toBe(201);
    expect(await actionsOf(engine.socket, id)).toHaveLength(6);
    expect(await boxes.inspect<{ State: { Status: string } }>(id)).toMatchObject({ State: { Status: 'running' } });
    await boxes.remove(id);
  });

  it('refuses what there is not, and a name that is none', async () => {
    const id = await ended('true');
    expect((await api('POST', '/commit')).text).toContain('invalid name or ID supplied');
    expect((await api('POST', '/commit?container=nobody')).status).toBe(404);
    expect((await api('POST', `/commit?container=${id}&repo=BAD`)).text).toContain('must be lowercase');
    await boxes.remove(id);
  });
});
