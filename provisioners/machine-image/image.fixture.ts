/** Small stand-ins for the files of an image, for tests of what is done with them: nothing here boots. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageFile, Manifest } from './manifest.ts';

export interface ImageFixture {
  readonly files: Readonly<Record<ImageFile, Buffer>>;
  readonly manifest: Manifest;
  readonly manifestText: string;
  readonly manifestSha256: string;
}

export function imageFixture(own: Partial<Readonly<Record<ImageFile, Buffer>>> = {}): ImageFixture {
  const files = {
    kernel: Buffer.alloc(3000, 'k'),
    initrd: Buffer.alloc(2000, 'i'),
    'system.erofs': Buffer.alloc(500_000, 's'),
    'boot.efi': Buffer.alloc(4000, 'e'),
    ...own,
  };
  const describeFile = (name: ImageFile): { sha256: string; sizeBytes: number } => ({
    sha256: sha256(files[name]),
    sizeBytes: files[name].length,
  });
  const manifest: Manifest = {
    format: 2,
    recipe: '0123456789abcdef',
    arch: 'amd64',
    files: {
      kernel: describeFile('kernel'),
      initrd: describeFile('initrd'),
      'system.erofs': describeFile('system.erofs'),
      'boot.efi': describeFile('boot.efi'),
    },
    packages: ['busybox-static 1.0'],
    node: { version: '24.0.0', sourceSha256: '0'.repeat(64) },
    commandLine: 'console=ttyS0 quiet',
  };
  const manifestText = JSON.stringify(manifest);
  return { files, manifest, manifestText, manifestSha256: sha256(Buffer.from(manifestText)) };
}

export async function writeImageFixture({ fixture, folder }: { fixture: ImageFixture; folder: string }): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(fixture.files)) await writeFile(join(folder, name), content);
  await writeFile(join(folder, 'manifest.json'), fixture.manifestText);
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
