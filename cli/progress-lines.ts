import { stripVTControlCharacters, styleText } from 'node:util';
import type { Report, StepReport } from '../provisioners/progress.ts';

/**
 * Draws the steps of a long operation: one line a step. On a terminal the lines of steps under way are drawn again and
 * again below those that are settled; in a pipe each beginning, each end and now and then a sign of life is a plain line.
 * The state and what it looks like are pure (ProgressLines); `writeProgress` only moves the cursor.
 */
export interface LineStyle {
  /** Lines are cut there, so that none wraps and the cursor's arithmetic holds. */
  readonly columns: number;
  readonly symbols: 'unicode' | 'ascii';
  readonly colors: 'on' | 'off';
}

interface Step {
  readonly report: StepReport;
  /** Clock when the report came, to let the elapsed time run on between reports. */
  readonly atMs: number;
}

const symbols = {
  unicode: { done: '✓', skipped: '–', failed: '✗', running: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] },
  ascii: { done: '+', skipped: '-', failed: 'x', running: ['|', '/', '-', '\\'] },
} as const;

const colors = { done: 'green', skipped: 'dim', failed: 'red', running: 'cyan' } as const;
const framesPerSecond = 10;

export class ProgressLines {
  readonly #steps = new Map<string, Step>();

  take(report: StepReport, atMs: number): void {
    this.#steps.set(report.step, { report, atMs });
  }

  /** Lines that will not change any more, in order; each is given out once. A step is settled when all before it are. */
  settled(style: LineStyle): string[] {
    const lines: string[] = [];
    for (const [name, step] of this.#steps) {
      if (step.report.state === 'running') break;
      lines.push(lineOf(step, step.atMs, style));
      this.#steps.delete(name);
    }
    return lines;
  }

  /** Lines of what is not settled yet, as they look at `atMs`. */
  live(style: LineStyle, atMs: number): string[] {
    return [...this.#steps.values()].map((step) => lineOf(step, atMs, style));
  }
}

/** `3.2s`, `45s`, `1m 02s`, `1h 05m`. */
export function formatElapsed(elapsedMs: number): string {
  const seconds = Math.floor(elapsedMs / 1000);
  if (elapsedMs < 10_000) return `${(Math.floor(elapsedMs / 100) / 10).toFixed(1)}s`;
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, '0')}s`;
  return `${Math.floor(minutes / 60)}h ${String(minutes % 60).padStart(2, '0')}m`;
}

/** The line of one report for output that cannot be drawn over. */
export function plainLine(report: StepReport): string {
  const detail = report.detail ? `: ${report.detail}` : '';
  switch (report.state) {
    case 'done':
      return `${report.title}: done in ${formatElapsed(report.elapsedMs)}`;
    case 'skipped':
      return `${report.title}: nothing to do${report.detail ? ` (${report.detail})` : ''}`;
    case 'failed':
      return `${report.title}: failed after ${formatElapsed(report.elapsedMs)}${detail}`;
    case 'running':
      return `${report.title} ...${percent(report)}${report.detail ? ` ${report.detail}` : ''}`;
  }
}

function lineOf({ report, atMs: takenMs }: Step, atMs: number, style: LineStyle): string {
  const { state, title, detail } = report;
  const isRunning = state === 'running';
  const elapsedMs = report.elapsedMs + (isRunning ? Math.max(0, atMs - takenMs) : 0);
  const set = symbols[style.symbols];
  const frame = set.running[Math.floor((elapsedMs / 1000) * framesPerSecond) % set.running.length] ?? '';
  const symbol = isRunning ? frame : set[state];
  const tail = [isRunning ? percent(report).trim() : '', formatElapsed(elapsedMs), oneLine(detail ?? '')].filter(
    Boolean,
  );
  const paint = (color: Parameters<typeof styleText>[0], text: string): string =>
    style.colors === 'on' ? styleText(color, text, { validateStream: false }) : text;
  const [head, rest] = cut([` ${symbol} ${oneLine(title)}`, tail.join('  ')], style.columns - 1);
  return `${head.slice(0, 1)}${paint(colors[state], head.slice(1, 2))}${head.slice(2)}${rest && `  ${paint('dim', rest)}`}`;
}

/** Cuts `head  rest` to `columns`, the rest first. */
function cut([head, rest]: readonly [string, string], columns: number): readonly [string, string] {
  return [head.slice(0, columns), rest.slice(0, Math.max(0, columns - head.length - 2))];
}

/** A detail may quote a boot log: nothing of it may move the cursor or break the line. */
function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

function percent(report: StepReport): string {
  return report.fraction === undefined ? '' : ` ${Math.floor(report.fraction * 100)}%`;
}

/** What the writer needs of a stream: `process.stderr` has it. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

export interface ProgressWriter extends Disposable {
  readonly report: Report;
}

const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';
const signOfLifeMs = 15_000;

/** Writes the progress of one operation; dispose it before anything else is written, also when the operation fails. */
export function writeProgress(stream: ProgressStream): ProgressWriter {
  return stream.isTTY ? liveWriter(stream) : plainWriter(stream);
}

function plainWriter(stream: ProgressStream): ProgressWriter {
  const lastMs = new Map<string, number>();
  return {
    report: (report) => {
      const last = lastMs.get(report.step);
      if (report.state === 'running' && last !== undefined && report.elapsedMs - last < signOfLifeMs) return;
      lastMs.set(report.step, report.elapsedMs);
      stream.write(`${plainLine(report)}\n`);
    },
    [Symbol.dispose]: () => undefined,
  };
}

function liveWriter(stream: ProgressStream): ProgressWriter {
  const lines = new ProgressLines();
  let drawn = 0;
  let isOver = false;
  const draw = (): void => {
    const style: LineStyle = {
      columns: stream.columns ?? 80,
      symbols: process.platform === 'win32' && !process.env['WT_SESSION'] ? 'ascii' : 'unicode',
      colors: stream.hasColors?.() ? 'on' : 'off',
    };
    const settled = lines.settled(style);
    // More lines than the screen has could not be drawn over: the newest matter.
    const live = lines.live(style, performance.now()).slice(-((stream.rows ?? 24) - 2));
    const up = drawn > 0 ? `\x1b[${drawn}A` : '';
    stream.write(`${hideCursor}${up}\r\x1b[J${[...settled, ...live].map((line) => `${line}\n`).join('')}`);
    drawn = live.length;
  };
  const timer = setInterval(draw, 1000 / framesPerSecond);
  timer.unref();
  return {
    report: (report) => {
      if (isOver) return;
      lines.take(report, performance.now());
      draw();
    },
    [Symbol.dispose]: () => {
      if (isOver) return;
      isOver = true;
      clearInterval(timer);
      draw();
      stream.write(showCursor);
    },
  };
}
