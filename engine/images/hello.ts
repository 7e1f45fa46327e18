/**
 * The image that every engine has: `hello`, made from the host's static busybox when a store is used for the first time,
 * so that a first container needs neither a network nor a registry. It goes through the ordinary `load`. The same busybox
 * gives the same image id.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Log } from '../diagnostics/log.ts';
import { inspectBusybox } from '../kernel/busybox.ts';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import type { Database } from '../store/database.ts';
import { hostPlatform } from './archive/platform.ts';
import type { Images } from './images.ts';

const settingKey = 'hello-image';
/** Not the time of making: the image would have another id each time. */
const createdAt = '2026-01-01T00:00:00Z';
const modifiedNs = BigInt(Date.parse(createdAt)) * 1_000_000n;

/**
 * Makes `hello:latest` unless this store ever had it: who removed it does not want it back. Without a busybox that can be
 * used there is no image, and the log says why; the next start tries again.
 */
export async function ensureHelloImage(parts: {
  readonly images: Images;
  readonly database: Database;
  readonly log: Log;
  /** Absolute path on the host. */
  readonly busybox: string;
}): Promise<void> {
  const { images, database, log, busybox } = parts;
  if (database.sql.prepare('SELECT 1 FROM settings WHERE key = ?').get(settingKey) !== undefined) return;
  const finding = await inspectBusybox(busybox);
  if (finding.kind === 'unusable') {
    log.warn('the built-in image hello cannot be made', { reason: finding.reason });
    return;
  }
  const archive = helloArchive({ program: await readFile(busybox), applets: finding.applets });
  for await (const message of images.load(chunksOf(archive))) log.debug('hello', { ...message });
  const { id } = images.resolve('hello');
  database.sql.prepare('INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)').run(settingKey, id);
  log.info('made the built-in image hello', { id });
}

/** The image as `docker save` would write it. */
export function helloArchive(parts: { readonly program: Buffer; readonly applets: readonly string[] }): Buffer {
  const layer = helloLayer(parts);
  const config = Buffer.from(JSON.stringify(helloConfig(layer)));
  const configName = `${sha256(config)}.json`;
  const layerName = `${sha256(layer)}/layer.tar`;
  const manifest = [{ Config: configName, RepoTags: ['hello:latest'], Layers: [layerName] }];
  return Buffer.concat([
    file(configName, config),
    file(layerName, layer),
    file('manifest.json', Buffer.from(JSON.stringify(manifest))),
    endOfArchive,
  ]);
}

const folders = ['bin', 'dev', 'etc', 'proc', 'root', 'run', 'sys', 'tmp', 'usr', 'usr/bin', 'usr/sbin', 'var'];
const modes: Readonly<Record<string, number>> = { root: 0o700, tmp: 0o1777 };

function helloLayer(parts: { readonly program: Buffer; readonly applets: readonly string[] }): Buffer {
  const links = parts.applets.filter((name) => name !== 'busybox');
  return Buffer.concat([
    ...folders.map((name) => entry('directory', `${name}/`, { mode: modes[name] ?? 0o755 })),
    file('bin/busybox', parts.program, 0o755),
    ...links.map((name) => entry('symlink', `bin/${name}`, { mode: 0o777, linkName: Buffer.from('busybox') })),
    // Scripts of other systems look for these two here.
    entry('symlink', 'usr/bin/env', { mode: 0o777, linkName: Buffer.from('../../bin/env') }),
    entry('symlink', 'sbin', { mode: 0o777, linkName: Buffer.from('bin') }),
    file('etc/group', Buffer.from('root:x:0:\nnobody:x:65534:\n')),
    file('etc/passwd', Buffer.from('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n')),
    file('hello', Buffer.from(greeting), 0o755),
    endOfArchive,
  ]);
}

function helloConfig(layer: Buffer): object {
  return {
    architecture: hostPlatform().architecture,
    os: 'linux',
    created: createdAt,
    author: 'Skiff',
    config: {
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      Cmd: ['/hello'],
      WorkingDir: '/',
      Labels: {
        'org.opencontainers.image.title': 'hello',
        'org.opencontainers.image.description':
          'The image that every Skiff engine has: a greeting, a shell, and what busybox can do.',
        'org.opencontainers.image.created': createdAt,
        'org.opencontainers.image.vendor': 'Skiff',
        'org.opencontainers.image.licenses': 'Apache-2.0 AND GPL-2.0-only',
      },
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: createdAt, created_by: 'skiffd: built-in image hello' }],
  };
}

/** Every line of it is looked up, none is made up. */
const greeting = `#!/bin/sh
cat <<EOF

        |\\\\
        | \\\\
        |  \\\\     Hello from a container on Skiff!
        |___\\\\
   _____|______
   \\\\          /   container  $(hostname)
~~~~\\\\________/~~  kernel     $(uname -sr) ($(uname -m))
  ~~~~   ~~~~~~   process    number $$, the first in here

It has its own files, processes and network, and shares the
kernel of the machine that Skiff runs for you. Try next:

  docker run -it --rm hello sh         look around inside
  docker run --rm hello ps             see how alone it is
  docker run -d -p 8080:80 hello httpd -f -h /etc
                                       serve a folder on port 8080

EOF
`;

function file(name: string, content: Buffer, mode = 0o644): Buffer {
  return encodeEntry({ kind: 'file', name: Buffer.from(name), mode, modifiedNs }, content);
}

function entry(
  kind: 'directory' | 'symlink',
  name: string,
  more: { readonly mode: number; readonly linkName?: Buffer },
): Buffer {
  return encodeEntry({ kind, name: Buffer.from(name), modifiedNs, ...more });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer, void, void> {
  const step = 256 * 1024;
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}
