import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/**
 * The same image, `box`, on dockerd and on skiffd: busybox with all its applets, two users, a folder to copy up. dockerd imports
 * it, skiffd loads what dockerd saved, so that both know it by one id.
 */
export function shareBoxImage(engines: { readonly skiffd: string; readonly dockerd: string }): void {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'box-image-'));
  const docker = (socket: string, ...words: string[]): void => {
    execFileSync('docker', ['-H', `unix://${socket}`, ...words], {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 60_000,
    });
  };
  try {
    const root = path.join(folder, 'root');
    fillRoot(root);
    execFileSync('tar', [
      '-C',
      root,
      '--owner=0',
      '--group=0',
      '--mtime=@1700000000',
      '-cf',
      path.join(folder, 'root.tar'),
      '.',
    ]);
    const changes = ['ENV PATH=/bin', 'ENV COLOUR=blue', 'CMD ["sh"]', 'LABEL maker=box', 'EXPOSE 80/tcp'];
    docker(
      engines.dockerd,
      'import',
      ...changes.flatMap((change) => ['--change', change]),
      path.join(folder, 'root.tar'),
      'box',
    );
    docker(engines.dockerd, 'save', '-o', path.join(folder, 'box.tar'), 'box');
    docker(engines.skiffd, 'load', '-i', path.join(folder, 'box.tar'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fillRoot(root: string): void {
  for (const name of ['bin', 'etc', 'home/user', 'root', 'srv', 'tmp', 'var'])
    mkdirSync(path.join(root, name), { recursive: true });
  chmodSync(path.join(root, 'tmp'), 0o1777);
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file)) ?? '/bin/busybox';
  copyFileSync(busybox, path.join(root, 'bin/busybox'));
  for (const applet of execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n'))
    if (applet !== '' && applet !== 'busybox') symlinkSync('busybox', path.join(root, 'bin', applet));
  writeFileSync(
    path.join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n',
  );
  writeFileSync(path.join(root, 'etc/group'), 'root:x:0:\nusers:x:1000:\ncrew:x:1001:user\nnogroup:x:65534:\n');
  writeFileSync(path.join(root, 'srv/page'), 'hello from the image\n');
}
