import { EngineError } from '../../client/errors.ts';
import { flag } from '../flags/flag.ts';
import { parseTemplate } from '../formats/template.ts';
import { writeLines } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import { defineVerb } from '../verb.ts';
import type { Context } from '../verb.ts';

type Kind = 'container' | 'image';

export const inspect = defineVerb({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on containers and images',
  flags: {
    format: flag.text({ short: 'f', help: 'Format output: json, or a Go template' }),
    type: flag.text({ help: 'Only inspect objects of the given type: container or image' }),
  },
  min: 1,
  missing: ['size'],
  async run({ flags, args, context }) {
    const { type } = flags;
    if (type !== undefined && type !== 'container' && type !== 'image') {
      throw new CommandError(`unknown type: ${JSON.stringify(type)}; use container or image`);
    }
    const kinds: readonly Kind[] = type === undefined ? ['container', 'image'] : [type];
    const render = flags.format === undefined || flags.format === 'json' ? null : parseTemplate(flags.format);
    const found: unknown[] = [];
    const lost: string[] = [];
    for (const name of args) {
      const object = await find(context, name, kinds);
      if (object === null) lost.push(`Error: No such ${type ?? 'object'}: ${name}`);
      else found.push(object);
    }
    if (render) await writeLines(context.stdout, found.map(render));
    else await writeLines(context.stdout, [flags.format === 'json' ? JSON.stringify(found) : indented(found)]);
    await writeLines(context.stderr, lost);
    return lost.length > 0 ? 1 : 0;
  },
});

async function find(context: Context, name: string, kinds: readonly Kind[]): Promise<object | null> {
  const { containers, images } = context.engine;
  for (const kind of kinds) {
    try {
      return kind === 'container' ? await containers.inspect(name) : await images.inspect(name);
    } catch (error) {
      if (!(error instanceof EngineError) || error.statusCode !== 404) throw error;
    }
  }
  return null;
}

function indented(objects: readonly unknown[]): string {
  return JSON.stringify(objects, null, 4);
}
