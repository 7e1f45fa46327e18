import { completionScripts } from '../completion/scripts.ts';
import { write } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import { defineVerb } from '../verb.ts';

const shells = Object.keys(completionScripts);

export const completion = defineVerb({
  usage: 'SHELL',
  summary: 'Generate the autocompletion script for the specified shell',
  details: `SHELL is one of ${shells.join(', ')}. The first lines of the script say how to load it.`,
  flags: {},
  min: 1,
  max: 1,
  offers: [shells],
  examples: [['bash > ~/.local/share/bash-completion/completions/skiff', 'For every new bash']],
  async run({ args: [shell = ''], context }) {
    const script = completionScripts[shell];
    if (script === undefined) throw new CommandError(`unknown shell: ${shell}; use one of ${shells.join(', ')}`);
    await write(context.stdout, script);
    return 0;
  },
});
