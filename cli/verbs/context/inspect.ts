import { ContextStore, defaultContext } from '../../contexts/store.ts';
import { machineHost } from '../../engine-door.ts';
import { flag } from '../../flags/flag.ts';
import { escapeForHtml } from '../../formats/rows.ts';
import { parseTemplate } from '../../formats/template/template.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

export const inspect = defineVerb({
  usage: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  summary: 'Display detailed information on one or more contexts',
  flags: { format: flag.text({ short: 'f', help: "Format output: 'json', or a Go template" }) },
  offers: ['context'],
  async run({ flags: { format }, args, context }) {
    const names = args.length > 0 ? args : [context.contextName];
    const found: object[] = [];
    const lost: string[] = [];
    for (const name of names) {
      try {
        found.push(detailsOf(name, context));
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        lost.push(describeError(error));
      }
    }
    if (format === undefined) await writeLines(context.stdout, [escapeForHtml(JSON.stringify(found, null, 4))]);
    else if (format === 'json') await writeLines(context.stdout, [escapeForHtml(JSON.stringify(found))]);
    else await writeLines(context.stdout, found.length === 0 ? [''] : found.map(parseTemplate(format)));
    await writeLines(context.stderr, lost);
    return lost.length > 0 ? 1 : 0;
  },
});

function detailsOf(name: string, context: Context): object {
  if (name === defaultContext) {
    const inMemory = '<IN MEMORY>';
    return {
      Name: name,
      Metadata: {},
      Endpoints: { docker: { Host: machineHost('default', context.environment), SkipTLSVerify: false } },
      TLSMaterial: {},
      Storage: { MetadataPath: inMemory, TLSPath: inMemory },
    };
  }
  const store = new ContextStore(context.environment);
  const { document, tlsFiles } = store.get(name);
  const { meta, tls } = store.folders(name);
  return {
    ...document,
    TLSMaterial: tlsFiles.length > 0 ? { docker: tlsFiles } : {},
    Storage: { MetadataPath: meta, TLSPath: tls },
  };
}
