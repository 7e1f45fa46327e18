import { flag } from '../../flags/flag.ts';
import { tableLines } from '../../formats/table.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

const words = { good: 'ok', note: 'note', bad: 'PROBLEM' } as const;

export const doctor = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Look at what machines need on this computer, and at each machine; exits with 1 when something is wrong',
  flags: { format: flag.text({ help: 'Format output: table or json' }) },
  max: 0,
  async run({ flags: { format }, context }) {
    const findings = await (await context.machines()).examine();
    const lines =
      format === 'json'
        ? findings.map((finding) => JSON.stringify(finding))
        : tableLines([
            ['', 'ABOUT', 'FINDING'],
            ...findings.map(({ about, verdict, says }) => [words[verdict], about, says.split('\n', 1)[0] ?? '']),
          ]);
    await writeLines(context.stdout, lines);
    return findings.some(({ verdict }) => verdict === 'bad') ? 1 : 0;
  },
});
