import { createReadStream, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { TarReader } from '../../../api/tar/reader.ts';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { checkContextName, ContextStore, parseDocument } from '../../contexts/store.ts';
import { describeError, write, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const exportContext = defineVerb({
  usage: '[OPTIONS] CONTEXT [FILE|-]',
  summary: 'Export a context to a tar archive FILE or a tar stream on STDOUT.',
  details: 'The archive has the private key of the context, where it has one.',
  flags: {},
  min: 1,
  max: 2,
  offers: ['context', 'file'],
  async run({ args: [name = '', target], context }) {
    checkContextName(name);
    const store = new ContextStore(context.environment);
    const { document, tlsFiles } = store.get(name);
    const entries = [
      encodeEntry({ kind: 'file', name: Buffer.from('meta.json') }, Buffer.from(JSON.stringify(document))),
      encodeEntry({ kind: 'directory', name: Buffer.from('tls'), mode: 0o700 }),
      ...(tlsFiles.length > 0
        ? [encodeEntry({ kind: 'directory', name: Buffer.from('tls/docker'), mode: 0o700 })]
        : []),
      ...tlsFiles.map((file) =>
        encodeEntry({ kind: 'file', name: Buffer.from(`tls/docker/${file}`), mode: 0o600 }, store.tlsFile(name, file)),
      ),
    ];
    const archive = Buffer.concat([...entries, endOfArchive]);
    if (target === '-') {
      if (context.stdout.isTTY)
        throw new CommandError('cowardly refusing to export to a terminal, specify a file path');
      await write(context.stdout, archive);
      return 0;
    }
    const file = target ?? `${name}.dockercontext`;
    try {
      writeFileSync(file, archive, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      throw new CommandError(describeError(error), { cause: error });
    }
    await writeLines(context.stderr, [`Written file "${file}"`]);
    return 0;
  },
});

/** Bytes that a context never has. */
const limitBytes = 10 * 1024 * 1024;

export const importContext = defineVerb({
  usage: 'CONTEXT FILE|-',
  summary: 'Import a context from a tar file',
  flags: {},
  min: 2,
  max: 2,
  offers: ['nothing', 'file'],
  async run({ args: [name = '', source = ''], context }) {
    checkContextName(name);
    const store = new ContextStore(context.environment);
    if (store.find(name)) throw new CommandError(`context "${name}" already exists`);
    const files = await filesOf(source === '-' ? context.stdin : createReadStream(source));
    const meta = files.get('meta.json');
    const document = meta === undefined ? null : parseDocument(meta.toString('utf8'));
    if (document === null) throw new CommandError('invalid context: no metadata found');
    // A machine's context is that machine's on the computer where it was made.
    const { SkiffMachine: _elsewhere, ...metadata } = document.Metadata;
    const tls = [...files].filter(([path]) => path.startsWith('tls/docker/'));
    store.write(
      { ...document, Name: name, Metadata: metadata },
      new Map(tls.map(([path, bytes]) => [basename(path), bytes])),
    );
    await writeLines(context.stdout, [name]);
    await writeLines(context.stderr, [`Successfully imported context "${name}"`]);
    return 0;
  },
});

async function filesOf(archive: NodeJS.ReadableStream): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const reader = new TarReader();
  let current: { readonly name: string; readonly parts: Buffer[] } | null = null;
  let sizeBytes = 0;
  try {
    for await (const chunk of archive as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw new CommandError('invalid context: the archive is too large');
      for (const event of reader.push(chunk)) {
        if (event.kind === 'entry') current = { name: event.entry.name.toString('utf8'), parts: [] };
        else if (event.kind === 'data') current?.parts.push(Buffer.from(event.bytes));
        else if (current) files.set(current.name, Buffer.concat(current.parts));
      }
    }
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
  return files;
}
