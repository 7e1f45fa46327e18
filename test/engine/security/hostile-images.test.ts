import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { directory, file, link, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'security: images that mean harm', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let host: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    host = mkdtempSync(path.join(os.tmpdir(), 'skiff-canary-'));
    writeFileSync(path.join(host, 'passwd'), 'root:x:0:0:of the host:/:/bin/sh\nmallory:x:0:0::/:/bin/sh\n');
    writeFileSync(path.join(host, 'group'), 'root:x:0:\nwheel:x:4711:mallory,nobody\n');
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(host, { recursive: true });
  });

  let images = 0;
  const make = async (layer: readonly Buffer[]): Promise<string> => {
    images += 1;
    const name = `hostile:${images}`;
    await loadImage(engine.socket, name, { layer });
    return name;
  };
  /** What a start of it prints, or why it is refused. */
  const outcome = async (image: string, script: string, config: object = {}, more: object = {}): Promise<string> => {
    try {
      return (await boxes.run(script, { config: { Image: image, ...config }, host: { ...more } })).output;
    } catch (error) {
      return String(error);
    }
  };

  describe('with links in the place of what the engine mounts (CVE-2025-31133, CVE-2025-52565, CVE-2026-47766)', () => {
    it.each(['dev', 'proc', 'sys', 'etc'])('/%s leads nowhere outside', async (name) => {
      const before = readdirSync(host);
      const image = await make([link(name, `../../../../../..${host}`)]);
      const output = await outcome(
        image,
        'ls /dev /proc /sys /etc; touch /dev/x /etc/x',
        {},
        { NetworkMode: 'bridge' },
      );
      expect(readdirSync(host)).toEqual(before);
      expect(output).not.toContain('of the host');
    });

    it('files of /dev and /etc lead nowhere outside', async () => {
      const before = Object.fromEntries(readdirSync(host).map((name) => [name, readFileSync(path.join(host, name))]));
      const outside = `../../../../../../..${host}`;
      const image = await make([
        directory('dev/'),
        ...['console', 'null', 'zero', 'ptmx', 'pts', 'shm', 'mqueue'].map((name) =>
          link(`dev/${name}`, `${outside}/${name}`),
        ),
        directory('etc/'),
        ...['hosts', 'hostname', 'resolv.conf', 'mtab'].map((name) => link(`etc/${name}`, `${outside}/${name}`)),
        link('.dockerenv', `${outside}/dockerenv`),
      ]);
      const script = 'echo x > /dev/null; echo y > /dev/shm/y; echo z > /etc/hosts; ls -l /dev';
      const output = await outcome(image, script, { Tty: true }, { NetworkMode: 'bridge' });
      expect(output).toMatch(/null/);
      expect(Object.fromEntries(readdirSync(host).map((name) => [name, readFileSync(path.join(host, name))]))).toEqual(
        before,
      );
    });

    it.each(['dev', 'proc', 'sys'])('a link that is copied into the place of /%s is not followed', async (name) => {
      const before = readdirSync(host);
      const { id } = await boxes.create('ls');
      const archive = Buffer.concat([
        encodeEntry({ kind: 'symlink', name: Buffer.from(name), linkName: Buffer.from(`../../../../../..${host}`) }),
        endOfArchive,
      ]);
      const copied = await boxes.copyIn(id, '/', archive);
      expect([200, 400]).toContain(copied);
      const outcome = await boxes.start(id).then(
        () => 'started',
        (error: unknown) => String(error),
      );
      if (copied === 200) expect(outcome).toContain('must be mounted on ordinary directory');
      expect(readdirSync(host)).toEqual(before);
      await boxes.remove(id);
    });

    it('the working directory and mount points lead nowhere outside', async () => {
      const before = readdirSync(host);
      const image = await make([link('job', `/../../../../..${host}`), link('data', `../../../../..${host}`)]);
      await outcome(image, 'touch here /data/there', { WorkingDir: '/job/new' }, { Tmpfs: { '/data/t': '' } });
      expect(readdirSync(host)).toEqual(before);
    });
  });

  describe('with users of their own making (CVE-2024-9341, CVE-2023-25173)', () => {
    const outside = (): string => `../../../../../../..${host}`;

    it('a passwd or group that is a link to the host is not the host’s', async () => {
      const image = await make([
        directory('etc/'),
        link('etc/passwd', `${outside()}/passwd`),
        link('etc/group', `${outside()}/group`),
      ]);
      expect(await outcome(image, 'id', { User: 'mallory' })).toContain('unable to find user mallory');
      expect(await outcome(image, 'id -G', { User: '65534' })).toBe('0\n');
    });

    it('a passwd without end is refused at once', async () => {
      const image = await make([directory('etc/'), file('etc/passwd', 'root:x:0:0::/:/bin/sh\n')]);
      const id = await boxes.keep({ config: { Image: image } }, [
        'sh',
        '-c',
        'busybox truncate -s 10G /etc/passwd; sleep 600',
      ]);
      // The file of ten gigabytes is in the container's own layer: its next start must not read it all.
      await boxes.until(id, 'busybox stat -c %s /etc/passwd', '10737418240\n');
      await boxes.stop(id);
      await expect(boxes.start(id)).rejects.toThrow(/etc\/passwd of the container has more than \d+ bytes/);
      await boxes.remove(id);
    });

    it('a passwd that is a fifo or a device does not stop the engine', async () => {
      const id = await boxes.keep({}, [
        'sh',
        '-c',
        'rm -f /etc/passwd /etc/group; mkfifo /etc/passwd; mknod /etc/group c 1 5; sleep 600',
      ]);
      await boxes.until(id, 'stat -c %F /etc/group', 'character special file\n');
      await boxes.stop(id);
      await boxes.start(id);
      await boxes.remove(id);
    });
  });

  it('with programs that look like the host’s: none of them is run outside (CVE-2019-14271, CVE-2026-41567)', async () => {
    const trap = (name: string): Buffer => file(name, `#!/bin/sh\necho ran > ${host}/ran\n`, { mode: 0o755 });
    const image = await make([
      ...['xz', 'unpigz', 'tar', 'gzip', 'crun', 'nft', 'ip', 'modprobe'].map((name) => trap(`bin/${name}`)),
      directory('lib/'),
      ...['libnss_files.so.2', 'libc.so.6', 'libseccomp.so.2'].map((name) => trap(`lib/${name}`)),
    ]);
    expect(await outcome(image, 'echo alive', {}, { NetworkMode: 'bridge' })).toBe('alive\n');
    expect(readdirSync(host)).not.toContain('ran');
  });
});
