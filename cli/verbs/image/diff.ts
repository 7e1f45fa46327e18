import type { SkiffComparison } from '../../../api/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { printable } from '../../formats/printable.ts';
import { formatSize } from '../../formats/sizes.ts';
import { changeLines } from '../../pictures/change-lines.ts';
import { styleOf } from '../../pictures/picture-style.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';

export const diffImages = defineVerb({
  usage: '[OPTIONS] IMAGE IMAGE',
  summary: 'Show what differs between two images: packages, configuration, files',
  details: 'A: added, C: changed, D: deleted in the second one.',
  flags: {
    format: flag.text({ help: "'json': everything as one object", offers: ['json'] }),
    quiet: flag.switch({ short: 'q', help: 'Only the lines of files, with their paths alone' }),
    summary: flag.switch({ help: 'Without the files' }),
  },
  min: 2,
  max: 2,
  offers: ['image'],
  examples: [['--summary app:1.1 app:1.2', 'What a release has changed, in a few lines']],
  async run({ flags: { format, quiet, summary }, args: [from = '', to = ''], context }) {
    if (format !== undefined && format !== 'json') {
      throw new CommandError(`--format ${JSON.stringify(format)}: only json is offered here`);
    }
    const found = await ofSkiffEngine('image diff', compareAll({ from, to }, summary ? 0 : 2_000, context));
    const lines = changeLines(found.files, { isQuiet: quiet, style: styleOf(context) });
    if (format === 'json') await writeLines(context.stdout, [JSON.stringify(found)]);
    else await writeLines(context.stdout, quiet ? lines : [...summaryLines(found, { from, to }), ...lines]);
    return 0;
  },
}); // prettier-ignore

async function compareAll(
  images: { readonly from: string; readonly to: string },
  limit: number,
  context: Context,
): Promise<SkiffComparison> {
  const first = await context.engine.skiff.compare(images, { limit });
  const files = [...first.files];
  for (let after = limit === 0 ? null : first.next; after !== null;) {
    const page: SkiffComparison = await context.engine.skiff.compare(images, { limit, after });
    files.push(...page.files);
    after = page.next;
  }
  return { ...first, files, next: null };
}

function summaryLines(found: SkiffComparison, names: { readonly from: string; readonly to: string }): string[] {
  const { from, to, added, changed, removed, config, packages } = found;
  const grown = to.sizeBytes - from.sizeBytes;
  const sign = grown < 0 ? '-' : '+';
  return [
    `${printable(names.from)} ${formatSize(from.sizeBytes)} -> ${printable(names.to)} ${formatSize(to.sizeBytes)} (${sign}${formatSize(Math.abs(grown))}), ${found.sharedLayers} layers shared`,
    `${added.entries} added (${formatSize(added.bytes)}), ${changed.entries} changed (${formatSize(changed.bytes)}), ${removed.entries} deleted (${formatSize(removed.bytes)})`,
    ...section('Packages', (packages?.changes ?? []).map(({ name, from: old, to: fresh }) => `${printable(name)}: ${versionChange(old, fresh)}`)),
    ...section('Configuration', config.map((change) => `${printable(change.field)}: ${valueText(change.from)} -> ${valueText(change.to)}`)),
    ...(found.files.length > 0 ? ['', 'Files:'] : []),
  ]; // prettier-ignore
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function versionChange(from: string | null, to: string | null): string {
  if (from === null) return `${printable(to ?? '')} added`;
  return to === null ? `${printable(from)} removed` : `${printable(from)} -> ${printable(to)}`;
}

function valueText(value: unknown): string {
  return value === null || value === undefined ? '(none)' : printable(JSON.stringify(value));
}
