import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { StepReport } from '../provisioners/progress.ts';
import { ProgressLines, formatElapsed, plainLine, writeProgress } from './progress-lines.ts';
import type { LineStyle } from './progress-lines.ts';

const plain: LineStyle = { columns: 60, symbols: 'unicode', colors: 'off' };

const step = (report: Partial<StepReport>): StepReport => ({
  step: 'boot',
  title: 'Starting the machine',
  state: 'running',
  elapsedMs: 0,
  ...report,
});

it.each([
  [0, '0.0s'],
  [9_960, '9.9s'],
  [10_000, '10s'],
  [59_999, '59s'],
  [62_000, '1m 02s'],
  [3_900_000, '1h 05m'],
])('prints %d ms as %s', (elapsedMs, text) => expect(formatElapsed(elapsedMs)).toBe(text));

describe('lines', () => {
  it('shows symbol, title, percentage, time and detail of a step under way, whose time runs on', () => {
    const lines = new ProgressLines();
    lines.take(step({ fraction: 0.339, elapsedMs: 1_000, detail: '41 of 126 MB' }), 50_000);
    expect(lines.live(plain, 52_100)).toEqual([' ⠙ Starting the machine  33%  3.1s  41 of 126 MB']);
    expect(lines.settled(plain)).toEqual([]);
  });

  it('gives out settled lines once and in the order of their beginning', () => {
    const lines = new ProgressLines();
    lines.take(step({ step: 'image', title: 'Building the image' }), 0);
    lines.take(step({}), 0);
    lines.take(step({ state: 'done', elapsedMs: 7_000 }), 7_000);
    expect(lines.settled(plain)).toEqual([]);
    expect(lines.live(plain, 8_000)).toEqual([' ⠋ Building the image  8.0s', ' ✓ Starting the machine  7.0s']);
    lines.take(
      step({ step: 'image', title: 'Building the image', state: 'failed', elapsedMs: 9_000, detail: 'no space' }),
      9_000,
    );
    expect(lines.settled(plain)).toEqual([' ✗ Building the image  9.0s  no space', ' ✓ Starting the machine  7.0s']);
    expect([...lines.settled(plain), ...lines.live(plain, 9_000)]).toEqual([]);
  });

  it.each([
    { columns: 40, line: ' ⠋ Starting the machine  0.0s  a long det' },
    { columns: 20, line: ' ⠋ Starting the mac' },
  ])('cuts to $columns columns', ({ columns, line }) => {
    const lines = new ProgressLines();
    lines.take(step({ detail: 'a long detail that does not fit' }), 0);
    expect(lines.live({ ...plain, columns }, 0)).toEqual([line.slice(0, columns - 1)]);
  });

  it('never lets a detail move the cursor or break the line', () => {
    const lines = new ProgressLines();
    lines.take(step({ detail: 'one\r\n\x1b[2Jtwo' }), 0);
    expect(lines.live(plain, 0)).toEqual([' ⠋ Starting the machine  0.0s  one two']);
  });

  it('looks the same with colours, but for the colours', () => {
    const lines = new ProgressLines();
    lines.take(step({ state: 'done', elapsedMs: 100, detail: 'fine' }), 0);
    const [line = ''] = lines.live({ ...plain, colors: 'on' }, 0);
    expect(line).toContain('\x1b[32m✓');
    expect(stripVTControlCharacters(line)).toBe(' ✓ Starting the machine  0.1s  fine');
  });
});

it.each([
  [step({}), 'Starting the machine ...'],
  [step({ fraction: 0.5, detail: 'kernel' }), 'Starting the machine ... 50% kernel'],
  [step({ state: 'done', elapsedMs: 6_200 }), 'Starting the machine: done in 6.2s'],
  [step({ state: 'skipped', detail: 'it runs' }), 'Starting the machine: nothing to do (it runs)'],
  [step({ state: 'failed', elapsedMs: 1_000, detail: 'no qemu' }), 'Starting the machine: failed after 1.0s: no qemu'],
])('says it plainly in a pipe: %#', (report, line) => expect(plainLine(report)).toBe(line));

describe('the writer', () => {
  afterEach(() => vi.useRealTimers());

  it('writes one line for the beginning, the end and every 15 s between when it cannot draw', () => {
    let text = '';
    using writer = writeProgress({ write: (part) => (text += part) });
    for (const elapsedMs of [0, 100, 14_999, 15_000, 16_000, 31_000])
      writer.report(step({ elapsedMs, detail: `at ${elapsedMs}` }));
    writer.report(step({ state: 'done', elapsedMs: 32_000 }));
    expect(text.split('\n')).toEqual([
      'Starting the machine ... at 0',
      'Starting the machine ... at 15000',
      'Starting the machine ... at 31000',
      'Starting the machine: done in 32s',
      '',
    ]);
  });

  it('draws over the steps under way on a terminal, lets time run and leaves the cursor visible', () => {
    vi.useFakeTimers();
    let text = '';
    const writer = writeProgress({ isTTY: true, columns: 80, rows: 24, write: (part) => (text += part) });
    writer.report(step({}));
    expect(text).toContain('Starting the machine  0.0s\n');
    text = '';
    vi.advanceTimersByTime(1_200);
    expect(text).toContain('\x1b[1A\r\x1b[J');
    expect(text).toContain('Starting the machine  1.2s');
    writer.report(step({ state: 'done', elapsedMs: 1_300 }));
    text = '';
    writer[Symbol.dispose]();
    writer[Symbol.dispose]();
    writer.report(step({}));
    vi.advanceTimersByTime(5_000);
    expect(text).toBe('\x1b[?25l\r\x1b[J\x1b[?25h');
  });
});
