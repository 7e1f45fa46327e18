import path from 'node:path';
import { flag } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';
import { runOperation } from './operation.ts';

/** Machines as things that can be copied: beside each other, into a file, out of one. */

export const clone = defineVerb({
  usage: 'MACHINE COPY',
  summary: 'Make a second machine of a stopped one, with the same disk and keys of its own',
  flags: {},
  min: 2,
  max: 2,
  offers: ['machine', 'nothing'],
  async run({ args: [name = '', copy = ''], context }) {
    const machines = await context.machines();
    await runOperation(context, (operation) => machines.clone(name, copy, operation));
    await writeLines(context.stdout, [`Machine "${copy}" was made. Start it with: skiff machine start ${copy}`]);
    return 0;
  },
});

export const exportMachine = defineVerb({
  usage: '[OPTIONS] MACHINE',
  summary: 'Write a stopped machine, with all that is in it and without its keys, to a file',
  flags: { output: flag.text({ short: 'o', help: 'File to write (default: MACHINE.tar.zst)', offers: 'file' }) },
  min: 1,
  max: 1,
  offers: ['machine'],
  async run({ flags: { output }, args: [name = ''], context }) {
    const machines = await context.machines();
    const file = path.resolve(context.workingDir, output ?? `${name}.tar.zst`);
    await runOperation(context, (operation) => machines.export(name, file, operation));
    await writeLines(context.stdout, [file]);
    return 0;
  },
});

export const importMachine = defineVerb({
  usage: 'FILE MACHINE',
  summary: 'Make a machine of an exported one',
  flags: {},
  min: 2,
  max: 2,
  offers: ['file', 'nothing'],
  async run({ args: [file = '', name = ''], context }) {
    const machines = await context.machines();
    const source = path.resolve(context.workingDir, file);
    await runOperation(context, (operation) => machines.import(name, source, operation));
    await writeLines(context.stdout, [`Machine "${name}" was made. Start it with: skiff machine start ${name}`]);
    return 0;
  },
});
