import { defineConfig } from 'vitest/config';

/**
 * Four suites with different needs. `pure` runs anywhere and in parallel; `kernel` needs Linux and root; `chain` needs
 * QEMU; `browser` needs Chromium. They run one after the other, so that an emulated processor has the real one to itself. What a computer lacks is skipped with a printed reason (test/skip.ts).
 */
const kernel = [
  'engine/**/*.kernel.test.ts',
  'test/engine/**/*.test.ts',
  'test/clients/**/*.test.ts',
  'test/differential/**/*.test.ts',
];
const chain = ['**/*.chain.test.ts'];
const browser = ['**/*.browser.test.ts'];
/** Tests wait for processes much of their time: all processors are used, where vitest would leave one idle. */
const maxWorkers = '100%';
const never = ['**/node_modules/**', '**/dist/**'];

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      {
        test: {
          name: 'pure',
          include: ['**/*.test.ts'],
          exclude: [...never, ...kernel, ...chain, ...browser],
          maxWorkers,
        },
      },
      {
        test: {
          name: 'kernel',
          include: kernel,
          exclude: never,
          maxWorkers,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'browser',
          include: browser,
          exclude: never,
          maxWorkers: 1,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'chain',
          include: chain,
          exclude: never,
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
