import type { TestProject } from 'vitest/node';
import { buildRenderer, findChromium } from './chromium.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the page that this run has built. */
    readonly rendererDir: string;
  }
}

/** Set-up of a run of the browser suites: the page is built once for all of them, since that takes eight seconds of a processor. */
export default async function setup({ provide }: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (findChromium() === null) return undefined;
  const built = await buildRenderer();
  provide('rendererDir', built.dir);
  return async () => await built[Symbol.asyncDispose]();
}
