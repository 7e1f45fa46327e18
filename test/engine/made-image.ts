import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import { docker } from './docker.ts';

type Entry = Parameters<typeof encodeEntry>[0];

/** Entries of a layer: a directory, a file, a link. */
export const directory = (name: string, more: Partial<Entry> = {}): Buffer =>
  encodeEntry({ kind: 'directory', name: Buffer.from(name), mode: 0o755, ...more });
export const file = (name: string, content: string | Buffer, more: Partial<Entry> = {}): Buffer =>
  encodeEntry({ kind: 'file', name: Buffer.from(name), mode: 0o644, ...more }, Buffer.from(content));
export const link = (name: string, target: string): Buffer =>
  encodeEntry({ kind: 'symlink', name: Buffer.from(name), linkName: Buffer.from(target), mode: 0o777 });

/** Loads an image of two layers into an engine: busybox with its applets in /bin, and what the test brings. */
export async function loadImage(
  socket: string,
  name: string,
  parts: { readonly layer: readonly Buffer[]; readonly config?: Readonly<Record<string, unknown>> },
): Promise<void> {
  const layers = [Buffer.concat([...busyboxEntries(), endOfArchive]), Buffer.concat([...parts.layer, endOfArchive])];
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...parts.config },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    }),
  );
  const files = layers.map((layer, index) => file(`layer${index}.tar`, layer));
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: layers.map((_, index) => `layer${index}.tar`) }];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-image-'));
  try {
    const archive = path.join(folder, 'image.tar');
    const members = [...files, file('config.json', config), file('manifest.json', JSON.stringify(manifest))];
    writeFileSync(archive, Buffer.concat([...members, endOfArchive]));
    const { exitCode, stderr } = await docker(socket, ['load', '-q', '-i', archive]);
    if (exitCode !== 0) throw new Error(`the image ${name} could not be loaded: ${stderr}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function busyboxEntries(): readonly Buffer[] {
  const program = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (program === undefined) throw new Error('this computer has no static busybox');
  const applets = execFileSync(program, ['--list'], { encoding: 'utf8' })
    .split('\n')
    .filter((applet) => applet !== '' && applet !== 'busybox');
  return [
    directory('bin/'),
    file('bin/busybox', readFileSync(program), { mode: 0o755 }),
    ...applets.map((applet) => link(`bin/${applet}`, 'busybox')),
    directory('tmp/', { mode: 0o1777 }),
    directory('etc/'),
    file('etc/passwd', 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1001::/:/bin/sh\n'),
    file('etc/group', 'root:x:0:\ncrew:x:1001:\n'),
  ];
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
