import { describe, expect, it } from 'vitest';
import { newContainerId, parseDigest } from '../../model/ids.ts';
import { readCreateBody } from '../../http/containers/create/body.ts';
import { type ImageDefaults, mergeImage } from './merge-image.ts';
import { signalNumber } from '../life/signals.ts';
import { madeUpName } from '../names/made-up-name.ts';

const image: ImageDefaults = {
  id: parseDigest(`sha256:${'a'.repeat(64)}`),
  env: ['PATH=/bin', 'COLOUR=red', 'GONE=1'],
  entrypoint: ['/entry'],
  command: ['serve'],
  workingDir: '/srv',
  user: 'nobody',
  labels: { maker: 'image', kept: 'yes' },
  exposedPorts: [{ port: 80, protocol: 'tcp' }],
  volumes: [],
  stopSignal: 'QUIT',
  healthcheck: null,
  shell: null,
};

const merged = (body: Record<string, unknown>, over: Partial<ImageDefaults> = {}): ReturnType<typeof mergeImage> =>
  mergeImage({
    id: newContainerId(),
    createdAt: '2026-11-21T09:00:00Z',
    request: readCreateBody({ Image: 'hello', ...body }, null, () => null),
    image: { ...image, ...over },
    engine: { logDriver: 'json-file', logOptions: { 'max-size': '1m' } },
  });

describe('a container takes', () => {
  it('from the image what the client does not say', () => {
    expect(merged({})).toMatchObject({
      process: { entrypoint: ['/entry'], command: ['serve'], env: image.env, workingDir: '/srv', user: 'nobody' },
      stopSignal: 'QUIT',
      labels: image.labels,
      log: { driver: 'json-file', options: { 'max-size': '1m' } },
    });
  });

  it('8: variables and labels by key, the client before the image, and a name without a value takes one away', () => {
    const spec = merged({ Env: ['COLOUR=blue', 'NEW=1', 'GONE'], Labels: { maker: 'client' } });
    expect(spec.process.env).toEqual(['COLOUR=blue', 'NEW=1', 'GONE', 'PATH=/bin']);
    expect(spec.labels).toEqual({ maker: 'client', kept: 'yes' });
  });

  it('8: the ports of both', () => {
    const spec = merged({
      ExposedPorts: { '81/udp': {} },
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '8080' }], '443/tcp': null } },
    });
    expect(spec.network.exposed.map(({ port, protocol }) => `${port}/${protocol}`)).toEqual([
      '80/tcp',
      '81/udp',
      '443/tcp',
    ]);
  });

  it.each([
    [{ Cmd: ['x'] }, ['/entry'], ['x']],
    [{ Entrypoint: ['/other'] }, ['/other'], []],
    [{ Entrypoint: ['/other'], Cmd: ['x'] }, ['/other'], ['x']],
    [{ Entrypoint: '/other' }, ['/other'], []],
    [{ Entrypoint: [''], Cmd: ['x'] }, [], ['x']],
    [{ Entrypoint: [] }, ['/entry'], ['serve']],
  ])('8: entrypoint and command of %j', (body, entrypoint, command) => {
    expect(merged(body).process).toMatchObject({ entrypoint, command });
  });

  it('9: an error at create when nothing says what to run', () => {
    expect(() => merged({}, { entrypoint: [], command: [] })).toThrow('no command specified');
  });
});

describe('a create is refused', () => {
  it.each([
    [{ HostConfig: { Binds: ['/a:/x'], Tmpfs: { '/x': '' } } }, 'invalid', /Duplicate mount point: \/x/],
    [{ HostConfig: { Binds: ['/a:/'] } }, 'invalid', /destination can't be '\/'/],
    [{ HostConfig: { Binds: ['/a:/b:rx'] } }, 'invalid', /invalid mode: rx/],
    [{ HostConfig: { AutoRemove: true, RestartPolicy: { Name: 'always' } } }, 'invalid', /AutoRemove/],
    [{ HostConfig: { PortBindings: { '99999/tcp': [] } } }, 'invalid', /invalid port specification/],
    [{ HostConfig: { PortBindings: { '80/icmp': [] } } }, 'invalid', /invalid proto: icmp/],
    [{ HostConfig: { PortBindings: { '80/tcp': [{ HostIp: 'here' }] } } }, 'invalid', /invalid IP address: here/],
    [{ WorkingDir: 'here' }, 'invalid', /needs to be an absolute path/],
    [{ Hostname: 'a\nb' }, 'invalid', /invalid hostname format/],
    [{ Env: ['=x'] }, 'invalid', /invalid environment variable/],
  ])('for %j', (body, kind, message) => {
    expect(() => merged(body)).toThrow(expect.objectContaining({ kind, message: expect.stringMatching(message) }));
  });
});

it('knows signals by name and number', () => {
  expect(['TERM', 'SIGKILL', '9', 'sighup', 'RTMIN+3', 'RTMAX'].map(signalNumber)).toEqual([15, 9, 9, 1, 37, 64]);
  for (const wrong of ['NOPE', '0', '65', 'RTMIN+40', '']) expect(() => signalNumber(wrong)).toThrow('invalid signal');
});

it('makes names up until one is free', () => {
  const taken = new Set<string>();
  for (let i = 0; i < 50; i++)
    taken.add(
      madeUpName(
        (name) => !taken.has(name),
        () => 0.5,
      ),
    );
  expect(taken.size).toBe(50);
});
