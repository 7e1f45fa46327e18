import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { endOfArchive } from '../../api/tar/writer.ts';
import { docker } from './docker.ts';
import { file } from './made-image.ts';

export interface LayeredImage {
  readonly name: string;
  /** Entries of each layer, bottom first. */
  readonly layers: readonly (readonly Buffer[])[];
  /** Fields of the config's `config`. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Steps of the history; as many without `empty_layer` as there are layers, or it does not fit. */
  readonly history?: readonly Readonly<Record<string, unknown>>[];
}

/** Loads an image of just these layers into an engine. */
export async function loadLayers(socket: string, image: LayeredImage): Promise<void> {
  const tars = image.layers.map((entries) => Buffer.concat([...entries, endOfArchive]));
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2024-05-06T07:08:09Z',
    config: { Cmd: ['/bin/true'], ...image.config },
    rootfs: {
      type: 'layers',
      diff_ids: tars.map((tar) => `sha256:${createHash('sha256').update(tar).digest('hex')}`),
    },
    history: image.history ?? tars.map((_, index) => ({ created_by: `step ${index}` })),
  });
  const manifest = [
    { Config: 'config.json', RepoTags: [image.name], Layers: tars.map((_, index) => `layer${index}.tar`) },
  ];
  const members = [
    ...tars.map((tar, index) => file(`layer${index}.tar`, tar)),
    file('config.json', config),
    file('manifest.json', JSON.stringify(manifest)),
  ];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-layers-'));
  try {
    const archive = path.join(folder, 'image.tar');
    writeFileSync(archive, Buffer.concat([...members, endOfArchive]));
    const { exitCode, stderr, stdout } = await docker(socket, ['load', '-q', '-i', archive]);
    if (exitCode !== 0 || !stdout.includes('Loaded'))
      throw new Error(`the image ${image.name} could not be loaded: ${stdout}${stderr}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
