import os from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * Five suites with different needs. `pure` and `programs` run anywhere; `kernel` needs Linux and root; `chain` needs QEMU;
 * `browser` needs Chromium. Those with machines and browsers come after the others, so that an emulated processor has a real one
 * to itself. What a computer lacks is skipped with a printed reason (test/skip.ts).
 */
const kernel = [
  'engine/**/*.kernel.test.ts',
  'test/engine/**/*.test.ts',
  'test/clients/**/*.test.ts',
  'test/differential/**/*.test.ts',
];
const chain = ['**/*.chain.test.ts'];
const browser = ['**/*.browser.test.ts'];
/**
 * Rooms, and folders of rooms, whose tests share processes: a process for each file would take a fifth of a second more of a processor. A test
 * there leaves its process as it found it (environment, clocks, handlers). What starts many programs has one to itself.
 */
const sharing = [
  ...['api', 'bench', 'client', 'desktop', 'electron', 'engine', 'logins', 'renderer', 'test/openapi'],
  'cli/{container-spec,flags,formats,transfers,verbs}',
  'provisioners/{machine-image,secrets,settings,shares,store}',
];
const pure = sharing.map((room) => `${room}/**/*.test.ts`);
/** Tests wait for processes a quarter of their time, hence half as many files again as there are processors. */
const maxWorkers = Math.ceil(os.availableParallelism() * 1.5);
/** As many machines as processors: each is one thread of an emulator. */
const machinesAtOnce = os.availableParallelism();
const never = ['**/node_modules/**', '**/dist/**'];
/** What a test awaits may take so long where the computer is busy with everything else: only a failure costs that time. */
const patience = { expect: { poll: { timeout: 20_000 } } };

export default defineConfig({
  test: {
    reporters: ['default'],
    globalSetup: 'test/peers/bundled-skiff.ts',
    projects: [
      {
        test: {
          ...patience,
          name: 'pure',
          include: pure,
          exclude: [...never, ...kernel, ...chain, ...browser],
          isolate: false,
          maxWorkers,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...patience,
          name: 'programs',
          include: ['**/*.test.ts'],
          exclude: [...never, ...pure, ...kernel, ...chain, ...browser],
          maxWorkers,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          ...patience,
          name: 'kernel',
          globalSetup: 'test/engine/bundled-engine.ts',
          include: kernel,
          exclude: never,
          maxWorkers,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          ...patience,
          name: 'browser',
          globalSetup: 'test/browser/built-page.ts',
          include: browser,
          exclude: never,
          maxWorkers: machinesAtOnce,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...patience,
          name: 'chain',
          globalSetup: ['test/chain/known-accelerators.ts', 'test/chain/bundled-machines.ts'],
          include: chain,
          exclude: never,
          maxWorkers: machinesAtOnce,
          testTimeout: 300_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
