import { describe, expect, it } from 'vitest';
import type { CreateContainerBody } from '../../api/containers.ts';
import { parseFlags } from '../flags/parse-flags.ts';
import { attachedStreams, createBody } from './create-body.ts';
import { pairsOfFile } from './environment.ts';
import { parseCpus } from './limits.ts';
import { parseExposed, parsePublished } from './ports.ts';
import { missingRunFlags, runFlags } from './run-flags.ts';
import { parseVolumes } from './volumes.ts';

describe('ports', () => {
  it.each([
    ['80', { '80/tcp': [{ HostIp: '', HostPort: '' }] }],
    ['8080:80', { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }],
    ['127.0.0.1:8080:80/udp', { '80/udp': [{ HostIp: '127.0.0.1', HostPort: '8080' }] }],
    ['127.0.0.1::80', { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] }],
    ['[::1]:8080:80', { '80/tcp': [{ HostIp: '::1', HostPort: '8080' }] }],
    ['::1:8080:80', { '80/tcp': [{ HostIp: '::1', HostPort: '8080' }] }],
    ['8000-8001:80-81', { '80/tcp': [{ HostIp: '', HostPort: '8000' }], '81/tcp': [{ HostIp: '', HostPort: '8001' }] }],
    ['8000-8010:80/SCTP', { '80/sctp': [{ HostIp: '', HostPort: '8000-8010' }] }],
  ])('%s', (spec, bindings) => expect(parsePublished([spec]).bindings).toEqual(bindings));

  it('collects several bindings of one port', () => {
    expect(parsePublished(['80', '8080:80'])).toEqual({
      bindings: { '80/tcp': [{ HostIp: '', HostPort: '' }, { HostIp: '', HostPort: '8080' }] }, // prettier-ignore
      exposed: { '80/tcp': {} },
    });
  });

  it.each([
    ['bogus', 'invalid containerPort: bogus'],
    ['x:80', 'invalid hostPort: x'],
    ['80/icmp', 'invalid proto: icmp'],
    ['8000-8002:80-81', 'invalid ranges specified for container and host Ports: 80-81 and 8000-8002'],
    ['8080:', 'no port specified: 8080:<empty>'],
    ['70000:80', 'invalid hostPort: 70000'],
    ['1.2.3.400:80:80', 'invalid IP address: 1.2.3.400'],
    ['90-80', 'invalid containerPort: 90-80'],
    ['target=80,bogus=8080', 'invalid field key bogus'],
  ])('refuses %s', (spec, message) => expect(() => parsePublished([spec])).toThrow(message));

  it('exposes ranges', () =>
    expect(parseExposed(['80', '53/udp', '90-91'])).toEqual({
      '80/tcp': {},
      '53/udp': {},
      '90/tcp': {},
      '91/tcp': {},
    }));
  it.each(['80:80', 'x'])('refuses to expose %s', (spec) => expect(() => parseExposed([spec])).toThrow(/for --expose/));
});

describe('volumes', () => {
  it('tells names, paths and anonymous volumes apart', () => {
    expect(
      parseVolumes(['/data', 'cache:/c', '/host/x:/x:ro', './src:/src', '.:/all', 'C:\\work:/w:ro,z'], '/home/me'),
    ).toEqual({
      binds: ['cache:/c', '/host/x:/x:ro', '/home/me/src:/src', '/home/me:/all', 'C:\\work:/w:ro,z'],
      anonymous: { '/data': {} },
    });
  });

  it.each([
    ['a:b:c:d', /invalid volume specification: 'a:b:c:d'/],
    [':/x', /invalid volume specification/],
    ['name:', /invalid volume specification/],
  ])('refuses %s', (spec, message) => expect(() => parseVolumes([spec], '/')).toThrow(message));
});

describe('environment files', () => {
  it('leaves out comments, empty lines, indentation and the byte order mark', () => {
    expect(pairsOfFile('\uFEFFA=1\r\n\n# no\n  B=two words \nC\n', 'f')).toEqual(['A=1', 'B=two words ', 'C']);
  });

  it.each([
    ['A B=1', "variable 'A B' contains whitespaces"],
    ['=1', "no variable name on line '=1'"],
  ])('refuses %s', (line, message) => expect(() => pairsOfFile(line, 'f')).toThrow(message));
});

it.each([
  ['1', 1e9],
  ['1.5', 1.5e9],
  ['.25', 0.25e9],
  ['0.000000001', 1],
])('reads %s processors', (text, nanos) => expect(parseCpus(text)).toBe(nanos));

describe('run flags to a request', () => {
  const sources = {
    variables: { HOME: '/home/me' },
    readFile: (path: string): string => (path === 'vars' ? 'FROM=file\nHOME\n' : 'l=file\n'),
    workingDir: '/home/me',
    consoleSize: [24, 80] as const,
  };
  const request = (...words: string[]): CreateContainerBody => {
    const { flags, args } = parseFlags(runFlags, words, { stopAt: 'first-argument', missing: missingRunFlags });
    return createBody(flags, args, sources);
  };

  it('asks for little when little is said', () => {
    expect(request('hello')).toEqual({
      Image: 'hello',
      Env: [],
      Labels: {},
      AttachStdin: false,
      AttachStdout: true,
      AttachStderr: true,
      OpenStdin: false,
      StdinOnce: false,
      Tty: false,
      ExposedPorts: {},
      Volumes: {},
      HostConfig: {
        Binds: [],
        PortBindings: {},
        PublishAllPorts: false,
        NetworkMode: 'default',
        AutoRemove: false,
        RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
        Privileged: false,
        ReadonlyRootfs: false,
      },
    });
  });

  const cases: { words: string[]; body: CreateContainerBody }[] = [
    { words: ['hello', 'ls', '-l'], body: { Image: 'hello', Cmd: ['ls', '-l'] } },
    { words: ['-it', 'hello'], body: { AttachStdin: true, OpenStdin: true, StdinOnce: true, Tty: true, HostConfig: { ConsoleSize: [24, 80] } } },
    { words: ['-di', 'hello'], body: { AttachStdin: false, AttachStdout: false, OpenStdin: true, StdinOnce: false } },
    { words: ['-a', 'stderr', 'hello'], body: { AttachStdin: false, AttachStdout: false, AttachStderr: true } },
    { words: ['-e', 'A=1', '-e', 'HOME', '-e', 'NOT_SET', 'hello'], body: { Env: ['A=1', 'HOME=/home/me'] } },
    { words: ['--env-file', 'vars', '-e', 'FROM=flag', 'hello'], body: { Env: ['FROM=file', 'HOME=/home/me', 'FROM=flag'] } },
    { words: ['-l', 'a=b=c', '--label-file', 'labels', '-l', 'bare', 'hello'], body: { Labels: { l: 'file', a: 'b=c', bare: '' } } },
    { words: ['--entrypoint', '', 'hello'], body: { Entrypoint: [''] } },
    { words: ['-p', '8080:80', '--expose', '90', 'hello'], body: { ExposedPorts: { '80/tcp': {}, '90/tcp': {} } } },
    { words: ['-w', '/x', '-u', '1:2', '-h', 'web', '--stop-signal', 'INT', '--stop-timeout', '3', 'hello'], body: { WorkingDir: '/x', User: '1:2', Hostname: 'web', StopSignal: 'INT', StopTimeout: 3 } },
    { words: ['-m', '64m', '--memory-swap', '-1', '--cpus', '1.5', '--pids-limit', '-1', 'hello'], body: { HostConfig: { Memory: 67_108_864, MemorySwap: -1, NanoCpus: 1_500_000_000, PidsLimit: -1 } } },
    { words: ['--restart', 'on-failure:3', '--read-only', '--network', 'none', 'hello'], body: { HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 }, ReadonlyRootfs: true, NetworkMode: 'none' } } },
    { words: ['--rm', '--tmpfs', '/t:size=1m', '--add-host', 'a:1.2.3.4', '--add-host', 'b=[::1]', 'hello'], body: { HostConfig: { AutoRemove: true, Tmpfs: { '/t': 'size=1m' }, ExtraHosts: ['a:1.2.3.4', 'b:::1'] } } },
    { words: ['--log-opt', 'max-size=1m', '--cap-add', 'NET_ADMIN', '--dns', '1.1.1.1', 'hello'], body: { HostConfig: { LogConfig: { Type: '', Config: { 'max-size': '1m' } }, CapAdd: ['CAP_NET_ADMIN'], Dns: ['1.1.1.1'] } } },
  ]; // prettier-ignore
  it.each(cases)('$words', ({ words, body }) => expect(request(...words)).toMatchObject(body));

  it.each([
    [['--rm', '--restart', 'always', 'hello'], 'conflicting options: cannot specify both --restart and --rm'],
    [['-a', 'stdlog', 'hello'], 'valid streams are STDIN, STDOUT and STDERR'],
    [['-m', 'foo', 'hello'], `invalid argument "foo" for "-m, --memory" flag: invalid size: 'foo'`],
    [['--cpus', 'x', 'hello'], 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'],
    [['--restart', 'sometimes', 'hello'], "unknown policy 'sometimes'"],
    [['--restart', 'always:3', 'hello'], "maximum retry count cannot be used with restart policy 'always'"],
    [['-e', '=x', 'hello'], 'invalid environment variable: =x'],
    [['--add-host', 'x', 'hello'], 'bad format for add-host: "x"'],
    [['--mount', 'type=bind', 'hello'], 'target is required'],
    [['--mount', 'bogus', 'hello'], "invalid field 'bogus' must be a key=value pair"],
    [['--mount', 'dst=/b,bogus=1', 'hello'], "unexpected key 'bogus' in 'bogus=1'"],
    [
      ['--mount', 'type=bind,src=/a,dst=/b,volume-nocopy', 'hello'],
      "cannot mix 'volume-*' options with mount type 'bind'",
    ],
    [['--ulimit', 'nofile=9:1', 'hello'], 'ulimit soft limit must be less than or equal to hard limit: 9 > 1'],
    [['--pid', 'bogus', 'hello'], '--pid: invalid PID mode'],
    [['--sysctl', 'kernel.hostname=x', 'hello'], "sysctl 'kernel.hostname=x' is not allowed"],
    [['--health-retries', '-1', 'hello'], '--health-retries cannot be negative'],
    [['--no-healthcheck', '--health-cmd', 'x', 'hello'], '--no-healthcheck conflicts with --health-* options'],
    [['--network', 'a', '--network', 'a', 'hello'], 'network "a" is specified multiple times'],
    [['--network', 'a', '--network', 'host', 'hello'], 'cannot attach both user-defined and non-user-defined'],
    [['--security-opt', 'bogus', 'hello'], 'Invalid --security-opt: "bogus"'],
  ])('refuses %j', (words, message) => expect(() => request(...words)).toThrow(message));

  it('attaches as -a says, else stdin only with -i', () => {
    const streams = (...words: string[]): unknown => attachedStreams(parseFlags(runFlags, words).flags);
    expect(streams('-i')).toEqual({ stdin: true, stdout: true, stderr: true });
    expect(streams('-a', 'STDIN')).toEqual({ stdin: true, stdout: false, stderr: false });
  });
});
