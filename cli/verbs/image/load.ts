import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { flag } from '../../flags/flag.ts';
import { describeError, write } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

export const load = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  flags: {
    input: flag.text({ short: 'i', help: 'Read from tar archive file, instead of STDIN' }),
    quiet: flag.switch({ short: 'q', help: 'Suppress the load output' }),
  },
  max: 0,
  missing: ['platform'],
  async run({ flags, context }) {
    const archive = await openArchive(flags.input, context);
    const isLive = context.stderr.isTTY && !flags.quiet;
    using progress = await context.engine.images.load(archive, { quiet: flags.quiet });
    for await (const { stream, status, id, progressDetail } of progress) {
      if (stream !== undefined) await write(context.stdout, stream);
      else if (isLive && status !== undefined) {
        const share =
          progressDetail?.current && progressDetail.total ? progressDetail.current / progressDetail.total : null;
        const percent = share === null ? '' : ` ${Math.floor(share * 100)}%`;
        await write(context.stderr, `\r\x1b[K${id === undefined ? '' : `${id}: `}${status}${percent}`);
      }
    }
    if (isLive) await write(context.stderr, '\r\x1b[K');
    return 0;
  },
});

async function openArchive(path: string | undefined, context: Context): Promise<Readable> {
  if (path === undefined) {
    if (context.stdin.isTTY) throw new CommandError('requested load from stdin, but stdin is empty');
    return context.stdin as Readable; // Every stdin of a process is a Readable; Node's types keep the old interface.
  }
  try {
    const file = await open(path, 'r');
    return file.createReadStream({ highWaterMark: 1 << 20 });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}
