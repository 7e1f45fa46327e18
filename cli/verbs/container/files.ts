import { writeDownload } from '../../files/write-download.ts';
import { flag } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

/** Verbs about the whole filesystem of a container. */

const kinds = ['C', 'A', 'D'] as const;

export const diff = defineVerb({
  usage: 'CONTAINER',
  summary: "Inspect changes to files or directories on a container's filesystem",
  details: 'A: added, C: changed, D: deleted.',
  flags: {},
  min: 1,
  max: 1,
  offers: ['container'],
  async run({ args: [container = ''], context }) {
    if (container.trim() === '') throw new CommandError('container name cannot be empty');
    const changes = await context.engine.files.changes(container);
    await writeLines(
      context.stdout,
      changes.map(({ Kind, Path }) => `${kinds[Kind]} ${Path}`),
    );
    return 0;
  },
});

export const exportFiles = defineVerb({
  usage: '[OPTIONS] CONTAINER',
  summary: "Export a container's filesystem as a tar archive",
  flags: { output: flag.text({ short: 'o', help: 'Write to a file, instead of STDOUT', offers: 'file' }) },
  min: 1,
  max: 1,
  offers: ['container'],
  examples: [['-o web.tar web', 'All files of a container in an archive']],
  async run({ flags: { output }, args: [container = ''], context }) {
    await writeDownload(
      context,
      { file: output, what: 'export container' },
      async () => (await context.engine.files.export(container)).tar,
    );
    return 0;
  },
});
