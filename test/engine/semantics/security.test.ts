import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/** The 14 of docker as bits of /proc/<pid>/status. */
const defaultCapabilities = '00000000a80425fb';
const none = '0000000000000000';

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: what a container may do', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const outputOf = async (script: string, host: object = {}, config: object = {}): Promise<string> =>
    (await boxes.run(script, { host: { ...host }, config: { ...config } })).output.trimEnd();
  const capabilities = async (host: object, config: object = {}): Promise<Readonly<Record<string, string>>> =>
    Object.fromEntries(
      (await outputOf('grep ^Cap /proc/self/status', host, config)).split('\n').map((line) => line.split(':\t')),
    ) as Readonly<Record<string, string>>;

  describe('capabilities', () => {
    it('78: are docker’s 14, and never inheritable', async () => {
      expect(await capabilities({})).toEqual({
        CapInh: none,
        CapPrm: defaultCapabilities,
        CapEff: defaultCapabilities,
        CapBnd: defaultCapabilities,
        CapAmb: none,
      });
    });

    it('78: of another user than root are in the bounding set alone', async () => {
      expect(await capabilities({}, { User: '1000' })).toEqual({
        CapInh: none,
        CapPrm: none,
        CapEff: none,
        CapBnd: defaultCapabilities,
        CapAmb: none,
      });
    });

    it('78: are added and dropped in any order, with or without CAP_, in any case', async () => {
      const chown = { CapEff: '0000000000000001' };
      expect(await capabilities({ CapDrop: ['all'], CapAdd: ['chown'] })).toMatchObject(chown);
      expect(await capabilities({ CapAdd: ['CAP_CHOWN'], CapDrop: ['ALL'] })).toMatchObject(chown);
      const { CapBnd: own = '0' } = statusOf(process.pid);
      const allButChown = (BigInt(`0x${own}`) & ~1n).toString(16).padStart(16, '0');
      expect(await capabilities({ CapAdd: ['ALL'], CapDrop: ['chown'] })).toMatchObject({ CapBnd: allButChown });
    });

    it('78: are shown as they are held', async () => {
      const { id } = await boxes.create('true', { host: { CapAdd: ['net_admin'], CapDrop: ['cap_chown'] } });
      expect((await boxes.inspect<{ HostConfig: object }>(id)).HostConfig).toMatchObject({
        CapAdd: ['CAP_NET_ADMIN'],
        CapDrop: ['CAP_CHOWN'],
      });
      await boxes.remove(id);
    });
  });

  describe('parts of /proc and /sys', () => {
    const probe =
      'cat /proc/interrupts | wc -c; ls /sys/firmware | wc -l; echo 1 2>/dev/null > /proc/sys/kernel/panic && echo writable';

    it('79: are hidden or cannot be written', async () => {
      expect(await outputOf(probe)).toBe('0\n0');
      const script = 'mount | grep -E "^proc on /proc/(bus|fs|irq|sys) " | grep -c "(ro"';
      expect(Number(await outputOf(script))).toBeGreaterThanOrEqual(3);
    });

    it('79: are open when the request says so with empty lists', async () => {
      const open = { MaskedPaths: [], ReadonlyPaths: [] };
      expect((await outputOf('cat /proc/interrupts | wc -c', open)).trim()).not.toBe('0');
      expect(await outputOf('mount | grep -c "on /proc/sys"', open)).toBe('0');
    });

    it('79: are those that the request names', async () => {
      const host = { MaskedPaths: ['/proc/uptime'], ReadonlyPaths: ['/etc'] };
      expect(await outputOf('cat /proc/uptime; touch /etc/x 2>&1', host)).toMatch(/^touch: .*Read-only/);
    });

    it('79: come back as they were when an inspect is created again', async () => {
      const { id } = await boxes.create('true');
      const { HostConfig } = await boxes.inspect<{ HostConfig: { MaskedPaths: string[]; ReadonlyPaths: string[] } }>(
        id,
      );
      expect(HostConfig.MaskedPaths).toContain('/proc/kcore');
      expect(await outputOf(probe, HostConfig)).toBe('0\n0');
      await boxes.remove(id);
    });
  });

  describe('system calls', () => {
    it('80: are filtered, unless they shall not be', async () => {
      const script = 'grep Seccomp: /proc/self/status; unshare -U true 2>&1; echo $?';
      expect(await outputOf(script)).toMatch(/^Seccomp:\t2\nunshare: .*Operation not permitted\n1$/);
      expect(await outputOf('grep Seccomp: /proc/self/status', { SecurityOpt: ['seccomp=unconfined'] })).toBe(
        'Seccomp:\t0',
      );
      expect(await outputOf('grep Seccomp: /proc/self/status', { SecurityOpt: ['seccomp=builtin'] })).toBe(
        'Seccomp:\t2',
      );
    });

    it('80: are filtered by a profile of one’s own', async () => {
      const profile = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
      };
      const SecurityOpt = [`seccomp=${JSON.stringify(profile)}`];
      expect(await outputOf('mkdir /new 2>&1', { SecurityOpt })).toContain('No space left on device');
    });

    it('80: new privileges can be ruled out', async () => {
      const script = 'grep NoNewPrivs /proc/self/status';
      expect(await outputOf(script)).toBe('NoNewPrivs:\t0');
      expect(await outputOf(script, { SecurityOpt: ['no-new-privileges'] })).toBe('NoNewPrivs:\t1');
      expect(await outputOf(script, { SecurityOpt: ['no-new-privileges=false'] })).toBe('NoNewPrivs:\t0');
    });
  });

  describe('devices', () => {
    it('81: are null, zero, full, random, urandom, tty and ptmx, and no other can be opened', async () => {
      const script =
        'for d in null zero full random urandom tty ptmx; do [ -e /dev/$d ] || echo $d; done; mknod /dev/tun c 10 200 && (: < /dev/tun) 2>&1';
      expect(await outputOf(script)).toMatch(/^sh: .*Operation not permitted$/);
    });

    it('81: of the host are there when they are given, with what may be done to them', async () => {
      const Devices = [{ PathOnHost: '/dev/net/tun', PathInContainer: '/dev/own0', CgroupPermissions: 'r' }];
      const script = 'ls -l /dev/own0 | cut -c1; (: < /dev/own0) && echo read; (: > /dev/own0) 2>&1';
      expect(await outputOf(script, { Devices })).toMatch(/^c\nread\n.*Operation not permitted/);
    });

    it('81: of a folder are all given', async () => {
      const Devices = [{ PathOnHost: '/dev/net', PathInContainer: '/dev/net', CgroupPermissions: 'rwm' }];
      await expect(boxes.run('true', { host: { Devices: [{ ...Devices[0], PathOnHost: '/etc' }] } })).rejects.toThrow(
        'error gathering device information while adding custom device \\"/etc\\": not a device node',
      );
      expect(await outputOf('ls /dev/net', { Devices })).toBe('tun');
    });

    it('81: can be allowed by rule', async () => {
      const script = 'mknod /dev/k c 10 200 && (: < /dev/k) && echo opened';
      expect(await outputOf(script, { DeviceCgroupRules: ['c 10:200 r'] })).toBe('opened');
      await expect(boxes.run('true', { host: { DeviceCgroupRules: ['x'] } })).rejects.toThrow(
        "invalid device cgroup rule format: 'x'",
      );
    });

    it('81: privileged, all of the host, all capabilities, nothing hidden, but namespaces of its own', async () => {
      const script =
        'grep CapEff /proc/self/status; grep Seccomp: /proc/self/status; ls /dev | wc -l; head -c0 /dev/kmsg && echo open; readlink /proc/self/ns/pid; [ -w /proc/sys/kernel/panic ] && echo writable; mount -t tmpfs x /tmp && echo mounted';
      const [effective, seccomp, count, ...rest] = (await outputOf(script, { Privileged: true })).split('\n');
      expect([effective, seccomp]).toEqual([`CapEff:\t${statusOf(process.pid)['CapBnd']}`, 'Seccomp:\t0']);
      expect(Number(count)).toBeGreaterThan(15);
      expect(rest).toEqual(['open', expect.stringMatching(/^pid:/) as string, 'writable', 'mounted']);
    });
  });

  it('61: a read-only root leaves what programs need writable', async () => {
    const script =
      'for d in / /etc /usr; do touch $d/x 2>/dev/null && echo "$d writable"; done; for d in /dev /dev/shm /dev/mqueue /data; do touch $d/x || echo "$d not writable"; done; ls /dev/pts';
    expect(await outputOf(script, { ReadonlyRootfs: true, Tmpfs: { '/data': '' } })).toBe('ptmx');
  });

  it('59: /dev/shm is 64 MiB unless said otherwise, and of the kind that was asked for', async () => {
    const size = "df -k /dev/shm | tail -1 | awk '{print $2}'";
    expect(await outputOf(size)).toBe('65536');
    expect(await outputOf(size, { ShmSize: 8 * 2 ** 20 })).toBe('8192');
    expect(await outputOf('[ -d /dev/shm ] || echo none', { IpcMode: 'none' })).toBe('none');
    expect(await outputOf('mount | grep -c "/dev/shm.*nosuid,nodev,noexec"')).toBe('1');
  });
});

function statusOf(pid: number): Readonly<Record<string, string>> {
  const lines = readFileSync(`/proc/${pid}/status`, 'latin1').split('\n');
  return Object.fromEntries(lines.map((line) => line.split(':\t'))) as Readonly<Record<string, string>>;
}
