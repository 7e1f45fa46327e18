import { createInterface } from 'node:readline';
import { write } from './report.ts';
import type { Context } from './verb.ts';

/** Asks, and waits for a line. Only `y` and `yes` are yes; the end of stdin is no. */
export async function confirm(context: Context, question: string): Promise<boolean> {
  await write(context.stdout, `${question}\nAre you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: context.stdin });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}
