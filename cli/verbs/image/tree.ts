import type { SkiffTree, SkiffTreeNode } from '../../../api/skiff.ts';
import type { TreeOptions } from '../../../client/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { printable } from '../../formats/printable.ts';
import { formatSize } from '../../formats/sizes.ts';
import { styleOf } from '../../pictures/picture-style.ts';
import { treeLines } from '../../pictures/tree-picture.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';

const sorts = ['name', 'size', 'modified'] as const;
type Sort = (typeof sorts)[number];

export const tree = defineVerb({
  usage: '[OPTIONS] IMAGE [PATH]',
  summary: 'Show the files of an image, or what one of its layers did',
  details: 'A: added, C: changed, D: deleted by the layer. The numbers of layers are those of "skiff history".',
  flags: {
    depth: flag.integer({ short: 'd', help: 'How many folders deep (default: 1; with --layer all)' }),
    format: flag.text({ help: "'json': the whole answer of the engine", offers: ['json'] }),
    layer: flag.integer({ short: 'l', help: 'Show what this layer did (0 is the bottom)' }),
    merged: flag.switch({ help: 'With --layer: all that is there after it, not only what it did' }),
    sort: flag.value(
      { help: 'Order within a folder: name, size or modified', standard: '"name"', offers: sorts },
      'string',
      parseSort,
    ),
    waste: flag.switch({ help: 'Show what takes room and is not seen any more' }),
  },
  min: 1,
  max: 2,
  offers: ['image', 'nothing'],
  examples: [
    ['-d 3 --sort size alpine /usr', 'What makes /usr large'],
    ['-l 2 team/app', 'What the third layer added, changed and deleted'],
  ],
  async run({ flags, args: [image = '', path = ''], context }) {
    if (flags.waste) return showWaste(image, flags.format, context);
    const isOfLayer = flags.layer !== undefined && !flags.merged;
    const options: TreeOptions = {
      path: encoded(path),
      layer: flags.layer,
      view: isOfLayer ? 'layer' : 'merged',
      depth: flags.depth ?? (isOfLayer ? 64 : 1),
      sort: flags.sort ?? 'name',
    };
    const found = await ofSkiffEngine('image tree', wholeTree(image, options, context));
    if (flags.format === 'json') await writeLines(context.stdout, [JSON.stringify(found)]);
    else if (flags.format === undefined) {
      const node = flags.layer === undefined ? withoutChanges(found.node) : found.node;
      await writeLines(context.stdout, treeLines(node, { path: found.path, style: styleOf(context) }));
    } else throw unknownFormat(flags.format);
    return 0;
  },
});

/** Where no layer was asked for, the image is shown as it is: not what its last layer did. */
function withoutChanges({ children, childCount = 0, ...node }: SkiffTreeNode): SkiffTreeNode {
  const plain = { ...node, change: null, hasChangesBelow: false };
  if (children === undefined) return childCount === 0 ? plain : { ...plain, childCount };
  const kept = children.filter(({ change }) => change !== 'removed');
  return { ...plain, childCount: childCount - (children.length - kept.length), children: kept.map(withoutChanges) };
}

/** All pages of the folder itself; a large folder below it says how much it holds besides. */
async function wholeTree(image: string, options: TreeOptions, context: Context): Promise<SkiffTree> {
  const first = await context.engine.skiff.tree(image, options);
  const children: SkiffTreeNode[] = [...(first.node.children ?? [])];
  for (let after = first.next; after !== null;) {
    const page: SkiffTree = await context.engine.skiff.tree(image, { ...options, after });
    children.push(...(page.node.children ?? []));
    after = page.next;
  }
  return first.node.children === undefined ? first : { ...first, node: { ...first.node, children }, next: null };
}

async function showWaste(image: string, format: string | undefined, context: Context): Promise<number> {
  const found = await ofSkiffEngine('image tree --waste', context.engine.skiff.waste(image, { limit: 100 }));
  if (format === 'json') await writeLines(context.stdout, [JSON.stringify(found)]);
  else if (format === undefined) {
    const share = `${(found.score * 100).toFixed(1)}% of what is stored is seen`;
    await writeLines(context.stdout, [
      `${formatSize(found.wastedBytes)} of ${formatSize(found.sizeBytes)} wasted: ${share}`,
      ...found.paths.map(({ path, wastedBytes, layers, hiddenBy }) => {
        const from = `from layer${layers.length === 1 ? '' : 's'} ${layers.join(', ')}, hidden by ${hiddenBy}`;
        return `${formatSize(wastedBytes).padStart(8)}  ${printable(path)}  (${from})`;
      }),
      ...(found.pathCount > found.paths.length ? [`          and ${found.pathCount - found.paths.length} more`] : []),
    ]);
  } else throw unknownFormat(format);
  return 0;
}

function unknownFormat(format: string): CommandError {
  return new CommandError(`--format ${JSON.stringify(format)}: only json is offered here`);
}

function parseSort(text: string): Sort {
  const found = sorts.find((sort) => sort === text);
  if (found === undefined) throw new RangeError(`must be one of ${sorts.join(', ')}`);
  return found;
}

/** The path of the command line as the engine takes it: without the slash that everything begins with. */
function encoded(path: string): string {
  return path.replace(/^\/+/, '').split('/').map(encodeURIComponent).join('/');
}
