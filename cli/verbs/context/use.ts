import { ContextStore, defaultContext } from '../../contexts/store.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const use = defineVerb({
  usage: 'CONTEXT',
  summary: 'Set the current context',
  details: "Skiff's own: which context is current for docker's CLI stays as it is.",
  flags: {},
  min: 1,
  max: 1,
  offers: ['context'],
  async run({ args: [name = ''], context }) {
    const store = new ContextStore(context.environment);
    if (name !== defaultContext) store.get(name);
    store.use(name);
    await writeLines(context.stdout, [name]);
    const overrides = ['SKIFF_HOST', 'SKIFF_CONTEXT', 'SKIFF_MACHINE'].find((key) => context.environment[key]);
    await writeLines(context.stderr, [
      ...(overrides === undefined ? [] : [`Warning: ${overrides} environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset ${overrides} environment variable.`]),
      `Current context is now "${name}"`,
    ]); // prettier-ignore
    return 0;
  },
});

export const show = defineVerb({
  usage: '',
  summary: 'Print the name of the current context',
  flags: {},
  max: 0,
  async run({ context }) {
    await writeLines(context.stdout, [context.contextName]);
    return 0;
  },
});
