/** Tags in the `manifest.json` of an image archive as `docker save` writes it. Throws RangeError when there is none. */
export function tagsOf(archive: Buffer): string[] {
  for (let at = 0; at + 512 <= archive.length;) {
    const name = archive.toString('latin1', at, archive.indexOf(0, at));
    const sizeBytes = Number.parseInt(archive.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === 'manifest.json') {
      const manifest: unknown = JSON.parse(archive.toString('utf8', at + 512, at + 512 + sizeBytes));
      if (Array.isArray(manifest))
        return manifest.flatMap((entry: { RepoTags?: string[] | null }) => entry.RepoTags ?? []);
    }
    at += 512 + Math.ceil(sizeBytes / 512) * 512;
  }
  throw new RangeError('the archive has no manifest.json');
}

/** An archive that holds a manifest with these tags and no layers: enough for the fake engine. */
export function archiveOf(tags: readonly string[]): Buffer {
  const body = Buffer.from(JSON.stringify([{ Config: 'config.json', RepoTags: tags, Layers: [] }]));
  const header = Buffer.alloc(512);
  header.write('manifest.json', 0);
  header.write('0000644\0', 100);
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        0', 148);
  const sum = header.reduce((total, byte) => total + byte, 0) - 0x30;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc(Math.ceil(body.length / 512) * 512 - body.length + 1024)]);
}
