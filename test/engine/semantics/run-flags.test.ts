import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker, type Ran } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** A flag with its values, a script of the container, and what that must print. */
type Row = readonly [flags: readonly string[], script: string, output: RegExp];

const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-flags-'));
const inFolder = (name: string): string => path.join(folder, name);
const isV2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
const limit = (v1: string, v2: string): string =>
  isV2 ? `cat /sys/fs/cgroup/${v2}` : `cat /sys/fs/cgroup/${v1.split('.')[0]}/${v1}`;
const device = blockDevice();

/** What a container can see of a flag itself. */
const seenInside: readonly Row[] = [
  [['--add-host', 'other:1.2.3.4'], 'grep other /etc/hosts', /^1\.2\.3\.4\tother$/],
  [['--cap-add', 'NET_ADMIN'], 'grep CapBnd /proc/self/status', /a80435fb$/],
  [['--cap-drop', 'ALL'], 'grep CapBnd /proc/self/status', /0000000000000000$/],
  [['--cgroupns', 'private'], 'head -1 /proc/self/cgroup', /:\/$/],
  [['--cpu-period', '50000', '--cpu-quota', '25000'], limit('cpu.cfs_quota_us', 'cpu.max'), /^25000/],
  [['--cpu-shares', '512'], limit('cpu.shares', 'cpu.weight'), /^(512|20|59)$/],
  [['--cpus', '0.5'], limit('cpu.cfs_quota_us', 'cpu.max'), /^50000/],
  [['--cpuset-cpus', '0'], limit('cpuset.cpus', 'cpuset.cpus'), /^0$/],
  [['--cpuset-mems', '0'], limit('cpuset.mems', 'cpuset.mems'), /^0$/],
  [['--device', '/dev/net/tun:/dev/own:r'], '(: < /dev/own) && echo open', /^open$/],
  [['--device-cgroup-rule', 'c 10:200 r'], 'mknod /t c 10 200; (: < /t) && echo open', /^open$/],
  [['--device-read-bps', `${device}:1mb`], limit('blkio.throttle.read_bps_device', 'io.max'), /1048576/],
  [['--device-read-iops', `${device}:100`], limit('blkio.throttle.read_iops_device', 'io.max'), /100/],
  [['--device-write-bps', `${device}:1mb`], limit('blkio.throttle.write_bps_device', 'io.max'), /1048576/],
  [['--device-write-iops', `${device}:100`], limit('blkio.throttle.write_iops_device', 'io.max'), /100/],
  [['--dns', '9.9.9.9'], 'cat /etc/resolv.conf', /nameserver 9\.9\.9\.9/],
  [['--dns-option', 'ndots:3'], 'cat /etc/resolv.conf', /options ndots:3/],
  [['--dns-search', 'example.org'], 'cat /etc/resolv.conf', /search example\.org/],
  [['--domainname', 'example.org', '--hostname', 'box'], 'hostname; cat /etc/hosts', /^box\n[^]*box\.example\.org box/],
  [['--env', 'A=1'], 'echo $A', /^1$/],
  [['--env-file', inFolder('env')], 'echo $FROM_FILE', /^yes$/],
  [['--group-add', '44'], 'id -G', /^0 44$/],
  [['--ipc', 'none'], '[ -e /dev/shm ] || echo none', /^none$/],
  [['--memory', '64m', '--memory-swap', '128m'], limit('memory.limit_in_bytes', 'memory.max'), /^67108864$/],
  [['--memory-reservation', '32m'], limit('memory.soft_limit_in_bytes', 'memory.low'), /^33554432$/],
  [['--mount', `type=bind,src=${folder},dst=/m,readonly`], 'cat /m/note; touch /m/x 2>&1', /^given\n.*Read-only/],
  [['--network', 'none'], 'ls /sys/class/net', /^lo$/],
  [['--oom-score-adj', '300'], 'cat /proc/self/oom_score_adj', /^300$/],
  [['--pid', 'host'], 'cat /proc/1/comm', /^(?!sh$)/],
  [['--pids-limit', '50'], limit('pids.max', 'pids.max'), /^50$/],
  [['--privileged'], 'mount -t tmpfs x /tmp && echo mounted', /^mounted$/],
  [['--read-only'], 'touch /x 2>&1', /Read-only/],
  [['--security-opt', 'no-new-privileges'], 'grep NoNewPrivs /proc/self/status', /1$/],
  [['--security-opt', 'systempaths=unconfined'], 'cat /proc/interrupts | wc -c', /^[1-9]/],
  [['--security-opt', `seccomp=${inFolder('seccomp.json')}`], 'mkdir /new 2>&1', /No space left/],
  [['--shm-size', '1m'], 'df -k /dev/shm | tail -1', / 1024 /],
  [['--sysctl', 'net.core.somaxconn=77'], 'cat /proc/sys/net/core/somaxconn', /^77$/],
  [['--tmpfs', '/t:size=1m'], 'df -k /t | tail -1', / 1024 /],
  [['--tty'], '[ -t 1 ] && echo terminal', /^terminal$/],
  [['--ulimit', 'nofile=100:200'], 'ulimit -Sn; ulimit -Hn', /^100\n200$/],
  [['--user', '1000:50'], 'id -u; id -g', /^1000\n50$/],
  [['--userns', 'host'], 'readlink /proc/self/ns/user', /^user:/],
  [['--uts', 'host'], 'hostname', new RegExp(`^${os.hostname()}$`)],
  [['--volume', `${folder}:/v`], 'cat /v/note', /^given$/],
  [['--volume', 'flag-volume:/v'], 'touch /v/x && echo written', /^written$/],
  [['--workdir', '/made/for/it'], 'pwd', /^\/made\/for\/it$/],
  [['--entrypoint', 'sh'], '', /^$/],
  [['--blkio-weight', '300'], 'echo taken', /taken/],
  [['--blkio-weight-device', `${device}:300`], 'echo taken', /taken/],
  [['--kernel-memory', '64m'], 'echo passed over', /passed over/],
  [['--oom-kill-disable', '--memory', '64m', '--memory-swappiness', '5'], 'echo taken', /taken/],
  [['--isolation', 'default', '--runtime', 'runc', '--platform', 'linux', '--pull', 'never'], 'echo taken', /taken/],
];

/** What inspect shows of the rest; the value as JSON. */
const shown: readonly (readonly [flags: readonly string[], template: string, value: string])[] = [
  [['--annotation', 'a=b'], '{{json .HostConfig.Annotations}}', '{"a":"b"}'],
  [['--cgroup-parent', '/there'], '{{.HostConfig.CgroupParent}}', '/there'],
  [['--expose', '80'], '{{json .Config.ExposedPorts}}', '{"80/tcp":{}}'],
  [
    ['--health-cmd', 'true', '--health-interval', '9s', '--health-retries', '2', '--health-timeout', '3s'],
    '{{json .Config.Healthcheck}}',
    '{"Test":["CMD-SHELL","true"],"Interval":9000000000,"Timeout":3000000000,"Retries":2}',
  ],
  [
    ['--health-cmd', 'true', '--health-start-period', '5s', '--health-start-interval', '1s'],
    '{{.Config.Healthcheck.StartPeriod}} {{.Config.Healthcheck.StartInterval}}',
    '5s 1s',
  ],
  [['--no-healthcheck'], '{{json .Config.Healthcheck}}', '{"Test":["NONE"]}'],
  [['--init'], '{{.HostConfig.Init}}', 'true'],
  [['--label', 'a=b', '--label-file', inFolder('labels')], '{{json .Config.Labels}}', '"from-file":"yes"'],
  [
    ['--log-driver', 'json-file', '--log-opt', 'max-size=1m'],
    '{{json .HostConfig.LogConfig.Config}}',
    '{"max-size":"1m"}',
  ],
  [['--name', 'named'], '{{.Name}}', '/named'],
  [
    ['--publish', '127.0.0.1::80'],
    '{{json .HostConfig.PortBindings}}',
    '{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]}',
  ],
  [['--publish-all'], '{{.HostConfig.PublishAllPorts}}', 'true'],
  [['--restart', 'on-failure:3'], '{{json .HostConfig.RestartPolicy}}', '{"Name":"on-failure","MaximumRetryCount":3}'],
  [['--stop-signal', 'INT', '--stop-timeout', '3'], '{{.Config.StopSignal}} {{json .Config.StopTimeout}}', 'INT 3'],
  [['--interactive'], '{{.Config.OpenStdin}}', 'true'],
  [['--attach', 'stderr'], '{{.Config.AttachStdout}} {{.Config.AttachStderr}}', 'false true'],
  [['--volume-driver', 'local', '--volume', '/anonymous'], '{{json .Mounts}}', '"Driver":"local"'],
  [['--mac-address', '02:42:ac:11:00:99'], '{{json .}}', '02:42:ac:11:00:99'],
  [['--link-local-ip', '169.254.9.9', '--network', 'flag-net'], '{{json .NetworkSettings.Networks}}', '169.254.9.9'],
  [['--network', 'flag-net', '--network-alias', 'other'], '{{json .NetworkSettings.Networks}}', '"other"'],
  [['--network', 'flag-net', '--ip', '10.99.1.9'], '{{json .NetworkSettings.Networks}}', '10.99.1.9'],
  [['--network', 'flag-net', '--ip6', 'fd99:1::9'], '{{json .NetworkSettings.Networks}}', 'fd99:1::9'],
];

/** Refused by dockerd on Linux as well, with the words that it has. */
const refused: readonly (readonly [flags: readonly string[], message: string])[] = [
  [['--gpus', 'all'], 'could not select device driver "" with capabilities: [[gpu]]'],
  [['--storage-opt', 'size=1g'], "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"],
  [
    ['--cpu-rt-runtime', '9', '--cpu-rt-period', '5'],
    isV2 ? 'CPU real-time scheduler' : 'real-time runtime cannot be higher',
  ],
];

/** Of the client alone, or seen by tests of their own; and those that the client itself refuses, since they are for Windows. */
const elsewhere = [
  'cidfile',
  'cpu-count',
  'cpu-percent',
  'io-maxbandwidth',
  'io-maxiops',
  'detach',
  'detach-keys',
  'disable-content-trust',
  'help',
  'link',
  'quiet',
  'rm',
  'sig-proxy',
  'use-api-socket',
  'volumes-from',
];

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'every flag of docker run', () => {
  let engine: RunningEngine;
  const run = (words: readonly string[]): Promise<Ran> => docker(engine.socket, words);
  beforeAll(async () => {
    writeFileSync(inFolder('env'), 'FROM_FILE=yes\n');
    writeFileSync(inFolder('labels'), 'from-file=yes\n');
    writeFileSync(inFolder('note'), 'given\n');
    const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }];
    writeFileSync(inFolder('seccomp.json'), JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
    engine = await startEngine();
    const network = ['network', 'create', '--ipv6', '--subnet', '10.99.1.0/24', '--subnet', 'fd99:1::/64', 'flag-net'];
    expect(await run(network)).toMatchObject({ exitCode: 0 });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('is seen inside', () => {
    it.concurrent.each(seenInside)('%j', async (flags, script, output) => {
      const command = flags[0] === '--entrypoint' ? ['-c', 'true'] : ['sh', '-c', script];
      const network = flags.some((flag) => /^--(network|add-host|dns|domainname)/.test(flag))
        ? []
        : ['--network', 'none'];
      const ran = await run(['run', '--rm', ...network, ...flags, 'hello', ...command]);
      expect(ran.stdout.replaceAll('\r', '').trimEnd(), ran.stderr).toMatch(output);
    });
  });

  it.concurrent.each(shown)('%j is shown by inspect', async (flags, template, value) => {
    const created = await run(['create', ...flags, 'hello', 'true']);
    expect(created, created.stderr).toMatchObject({ exitCode: 0 });
    const id = created.stdout.trim();
    expect((await run(['inspect', '-f', template, id])).stdout).toContain(value);
    await run(['rm', '-v', id]);
  });

  it.each(refused)('%j is refused in dockerd’s words', async (flags, message) => {
    const ran = await run(['run', '--rm', '--network', 'none', ...flags, 'hello', 'true']);
    expect(ran).toMatchObject({ exitCode: 125, stderr: expect.stringContaining(message) as string });
  });

  it('--cidfile, --detach, --rm and --quiet do what they say', async () => {
    const file = inFolder('cid');
    const ran = await run([
      'run',
      '--quiet',
      '--detach',
      '--rm',
      '--network',
      'none',
      '--cidfile',
      file,
      'hello',
      'sleep',
      '60',
    ]);
    expect(ran.stdout.trim()).toBe(readFileSync(file, 'utf8'));
    await run(['kill', ran.stdout.trim()]);
    await expect
      .poll(async () => (await call(engine.socket, 'GET', `/containers/${ran.stdout.trim()}/json`)).status)
      .toBe(404);
  });

  it('none is forgotten here', async () => {
    const { stdout: help } = await run(['run', '--help']);
    const flags = [...help.matchAll(/^\s+(?:-\w, )?--([a-z0-9-]+)/gm)].map(([, name = '']) => name);
    const tried = [...seenInside, ...shown, ...refused].flatMap(([words]) =>
      words.filter((word) => word.startsWith('--')).map((word) => word.slice(2)),
    );
    expect(flags.length).toBeGreaterThan(90);
    expect(flags.filter((flag) => ![...tried, ...elsewhere].includes(flag))).toEqual([]);
  });
});

function blockDevice(): string {
  const names = readFileSync('/proc/partitions', 'latin1').match(/\b(?:vda|sda|nvme0n1|loop0)\b/);
  return `/dev/${names?.[0] ?? 'loop0'}`;
}
