import { EngineError } from '../../client/errors.ts';
import { flag } from '../flags/flag.ts';
import { compactJson, indentJson } from '../formats/json-text.ts';
import { TemplateError, TemplateSyntaxError } from '../formats/template/template-error.ts';
import { parseTemplate } from '../formats/template/template.ts';
import type { Template } from '../formats/template/template.ts';
import { platformOf } from '../image-names.ts';
import { describeError, writeLines } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import { defineVerb } from '../verb.ts';
import type { Context } from '../verb.ts';

/** How an object of a kind is asked for; the answer is the engine's text. */
type Ask = (context: Context, name: string, options: { readonly size: boolean }) => Promise<string>;

const kinds = {
  container: ({ engine }, name, { size }) => engine.containers.inspectText(name, { size }),
  image: ({ engine }, name) => engine.images.inspectText(name),
  network: ({ engine }, name) => engine.networks.inspectText(name),
  volume: ({ engine }, name) => engine.volumes.inspectText(name),
} satisfies Readonly<Record<string, Ask>>;

type Kind = keyof typeof kinds;

const allKinds: readonly Kind[] = ['container', 'image', 'network', 'volume'];
/** Kinds of a swarm, which docker knows and Skiff has not: of these there are none. */
const foreignKinds = ['config', 'node', 'plugin', 'secret', 'service', 'task'];

const formatFlag = flag.text({ short: 'f', help: "Format output: 'json', or a Go template" });
const sizeFlag = flag.switch({ short: 's', help: 'Display total file sizes if the type is container' });

export const inspect = defineVerb({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on containers, images, networks and volumes',
  flags: {
    format: formatFlag,
    size: sizeFlag,
    type: flag.text({ help: 'Only inspect objects of the given type', offers: allKinds }),
  },
  min: 1,
  offers: ['container'],
  examples: [
    ["-f '{{.State.Status}}' web", 'Whether a container runs'],
    [
      "-f '{{range $name, $net := .NetworkSettings.Networks}}{{$name}}: {{$net.IPAddress}}{{end}}' web",
      'Its addresses',
    ],
  ],
  async run({ flags: { type, format, size }, args, context }) {
    if (type === undefined) return inspectEach(context, args, { format, find: (name) => findAny(context, name, size) });
    const kind = allKinds.find((known) => known === type);
    if (kind) return inspectEach(context, args, { format, find: (name) => kinds[kind](context, name, { size }) });
    const known = [...allKinds, ...foreignKinds].sort().map((name) => JSON.stringify(name));
    throw new CommandError(
      foreignKinds.includes(type)
        ? `there are no objects of type ${JSON.stringify(type)}: Skiff has no swarm and no plugins`
        : `unknown type: ${JSON.stringify(type)}: must be one of ${known.join(', ')}`,
    );
  },
});

export const inspectContainer = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  flags: { format: formatFlag, size: sizeFlag },
  min: 1,
  offers: ['container'],
  run: ({ flags: { format, size }, args, context }) =>
    inspectEach(context, args, { format, find: (name) => kinds.container(context, name, { size }) }),
});

export const inspectImage = defineVerb({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  flags: {
    format: formatFlag,
    platform: flag.text({ help: 'Inspect the image of this platform (os[/arch[/variant]])' }),
  },
  min: 1,
  offers: ['image'],
  run({ flags: { format, platform: text }, args, context }) {
    const platform = platformOf(text);
    return inspectEach(context, args, {
      format,
      find: (name) => context.engine.images.inspectText(name, { platform }),
    });
  },
});

export const inspectVolume = defineVerb({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Display detailed information on one or more volumes',
  flags: { format: formatFlag },
  min: 1,
  offers: ['volume'],
  run: ({ flags: { format }, args, context }) =>
    inspectEach(context, args, { format, find: (name) => kinds.volume(context, name) }),
});

export const inspectNetwork = defineVerb({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Display detailed information on one or more networks',
  flags: { format: formatFlag, verbose: flag.switch({ short: 'v', help: 'Verbose output for diagnostics' }) },
  min: 1,
  offers: ['network'],
  run: ({ flags: { format, verbose }, args, context }) =>
    inspectEach(context, args, { format, find: (name) => context.engine.networks.inspectText(name, { verbose }) }),
});

/** Prints what was found of each name, then what was not; exit code 1 when something was not. */
async function inspectEach(
  context: Context,
  names: readonly string[],
  { format, find }: { readonly format: string | undefined; readonly find: (name: string) => Promise<string> },
): Promise<number> {
  const render = format === undefined || format === 'json' ? null : inspectTemplate(format);
  const found: string[] = [];
  const lost: string[] = [];
  for (const name of names) {
    try {
      found.push(await find(name));
    } catch (error) {
      if (!(error instanceof EngineError) && !(error instanceof NoSuchObject)) throw error;
      lost.push(describeError(error));
    }
  }
  if (render) {
    const lines = found.map((text) => renderOr(render, text, lost));
    await writeLines(context.stdout, found.length === 0 ? [''] : lines);
  } else {
    const list = `[${found.join(',')}]`;
    await writeLines(context.stdout, [format === 'json' ? compactJson(list) : indentJson(list)]);
  }
  await writeLines(context.stderr, lost);
  return lost.length > 0 ? 1 : 0;
}

/** A template that cannot be read ends the command with a code of its own, as docker's does. */
function inspectTemplate(format: string): Template {
  try {
    return parseTemplate(format);
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    throw new CommandError(error.message, { cause: error, exitCode: 64 });
  }
}

/** One that does not fit an object leaves its line empty, and is told with what was not found. */
function renderOr(render: Template, text: string, failures: string[]): string {
  try {
    return render(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    failures.push(error.message);
    return '';
  }
}

class NoSuchObject extends Error {}

async function findAny(context: Context, name: string, size: boolean): Promise<string> {
  for (const kind of allKinds) {
    try {
      return await kinds[kind](context, name, { size });
    } catch (error) {
      if (!(error instanceof EngineError) || error.statusCode !== 404) throw error;
    }
  }
  throw new NoSuchObject(`Error: No such object: ${name}`);
}
