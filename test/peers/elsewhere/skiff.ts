/**
 * `skiff` on a computer of another kind: `skiff.ts COMPUTER WORDS...`. What the drivers take the computer for is all that differs; files,
 * processes and sockets are those of the computer that it runs on.
 */
import { fileURLToPath } from 'node:url';
import { skiffProcess } from '../../../cli/skiff-process.ts';
import { parseElsewhere } from './computer.ts';

const [text = '', ...words] = process.argv.slice(2);
const { computer, releases } = parseElsewhere(text);
skiffProcess(words, {
  computer,
  engine: { kind: 'releases', folder: releases },
  hostAgent: {
    command: process.execPath,
    arguments: [fileURLToPath(new URL('./host-agent/main.ts', import.meta.url)), text],
    environment: {},
  },
});
