/** The same images in a registry on the loopback of each engine, at the same address. Each has blobs of its own: what one pushes, the other does not find. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { directory, file } from '../engine/made-image.ts';
import { hostArchitecture, putBlob, putImage, putIndex, putManifest } from '../engine/registry-image.ts';
import { startRegistry } from '../peers/registry.ts';

export interface Registries extends AsyncDisposable {
  /** `127.0.0.1:41234`; stands in topics as `%registry%`. */
  readonly host: string;
  /** Another with nothing in it, for the user `ada` with the password `pw` alone; stands as `%guarded%`. */
  readonly guarded: string;
}

/** `netns`: of the other engine. */
export async function startRegistries(netns: string): Promise<Registries> {
  await using opening = new AsyncDisposableStack();
  const ours = opening.use(await startRegistry());
  await seed(ours.host);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'differential-registry-'));
  opening.defer(() => rmSync(folder, { recursive: true }));
  cpSync(ours.storage, folder, { recursive: true });
  opening.use(await startRegistry({ port: Number(ours.host.split(':').at(-1)), storage: folder, netns }));
  const locked = { auth: 'basic', users: { ada: 'pw' } } as const;
  const guarded = opening.use(await startRegistry(locked));
  opening.use(await startRegistry({ ...locked, port: Number(guarded.host.split(':').at(-1)), netns }));
  const opened = opening.move();
  return { host: ours.host, guarded: guarded.host, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

async function seed(host: string): Promise<void> {
  const base = [directory('data/'), file('data/base', 'base')];
  const next = [file('data/next', 'next')];
  const labels = { Labels: { seeded: 'yes' } };
  await putImage(`${host}/seed`, '1', { layers: [base], config: labels });
  await putImage(`${host}/seed`, '2', { layers: [base, next], config: labels });
  const own = await putImage(`${host}/many`, null, { layers: [base], form: 'oci' });
  await putIndex(`${host}/many`, '1', { [`linux/${hostArchitecture}`]: own });
  const blob = Buffer.from('{}');
  const digest = await putBlob(`${host}/odd`, blob);
  const odd = (mediaType: string, configType: string): { document: object; mediaType: string } => ({
    mediaType,
    document: {
      schemaVersion: 2,
      mediaType,
      config: { mediaType: configType, digest, size: blob.length },
      layers: [{ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', digest, size: blob.length }],
    },
  });
  const [docker, oci] = [
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.oci.image.manifest.v1+json',
  ] as const;
  await putManifest(`${host}/odd`, 'chart', odd(oci, 'application/vnd.cncf.helm.config.v1+json'));
  await putManifest(`${host}/odd`, 'plugin', odd(docker, 'application/vnd.docker.plugin.v1+json'));
}
