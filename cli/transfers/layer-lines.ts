import { stripVTControlCharacters, styleText } from 'node:util';
import type { ProgressMessage } from '../../api/images.ts';
import { formatSize } from '../formats/sizes.ts';

/**
 * What a pull, push or load shows on a terminal: a line a layer, under way drawn again and again below what is settled, and under them one
 * line of the whole. Pure: messages and clock in, lines out; `live-transfer.ts` moves the cursor.
 */
export interface BoardStyle {
  /** Lines are cut there, so that none wraps and the cursor's arithmetic holds. */
  readonly columns: number;
  /** Lines of the screen that may be drawn over. */
  readonly rows: number;
  readonly symbols: 'unicode' | 'ascii';
  readonly colors: 'on' | 'off';
}

interface Line {
  readonly id: string;
  status: string;
  current: number;
  total: number;
  /** Of the layer as it travels, kept when later steps count anew. */
  movedBytes: number;
  moveTotal: number;
  state: 'running' | 'done';
}

/** A line a layer, or one that stands as it is. */
type Entry = Line | { readonly text: string };

const symbols = {
  unicode: { done: '✓', full: '━', head: '╸', empty: '─', running: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] },
  ascii: { done: '+', full: '=', head: '>', empty: ' ', running: ['|', '/', '-', '\\'] },
} as const;

const finalStatus = /^(?:Pull complete|Already exists|Pushed|Layer already exists|Mounted from .*|Skipped.*|Loaded)$/;
const movingStatus = /^(?:Downloading|Pushing|Loading layer)$/;
const framesPerSecond = 10;
/** The speed is that of the last seconds, not of the whole. */
const speedWindowMs = 4_000;
const widestBar = 40;

export class LayerLines {
  readonly #entries: Entry[] = [];
  readonly #lines = new Map<string, Line>();
  readonly #counted = { done: 0, layers: 0, movedBytes: 0, moveTotal: 0 };
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  take(message: ProgressMessage): void {
    const { id, status, stream } = message;
    const text = oneLine(stream ?? status ?? '');
    if (id === undefined || stream !== undefined || /^Pulling from /.test(text)) {
      if (text !== '') this.#entries.push({ text: id === undefined || stream !== undefined ? text : `${id}: ${text}` });
      return;
    }
    const line = this.#lineOf(id);
    line.status = text;
    line.current = message.progressDetail?.current ?? 0;
    line.total = message.progressDetail?.total ?? 0;
    if (movingStatus.test(text) && line.current > 0) {
      line.movedBytes = Math.max(line.movedBytes, line.current);
      line.moveTotal = Math.max(line.moveTotal, line.total);
    }
    if (/^Download complete$/.test(text)) line.movedBytes = line.moveTotal;
    if (finalStatus.test(text)) {
      line.state = 'done';
      line.movedBytes = line.moveTotal;
    }
  }

  /** Lines that will not change any more, in order, each given out once. What stands above a text is settled with it. */
  settled(style: BoardStyle): string[] {
    const lastText = this.#entries.findLastIndex((entry) => 'text' in entry);
    const firstRunning = this.#entries.findIndex((entry) => 'id' in entry && entry.state === 'running');
    const end = Math.max(lastText + 1, firstRunning < 0 ? this.#entries.length : firstRunning);
    return this.#entries.splice(0, end).map((entry) => {
      if ('text' in entry) return entry.text;
      this.#lines.delete(entry.id);
      this.#count(entry);
      return lineText(entry, style, 0);
    });
  }

  /** What is not settled as it looks at `atMs`; at most as many lines as the screen can show, those under way before those that wait. */
  live(style: BoardStyle, atMs: number): string[] {
    const lines = this.#entries.filter((entry) => 'id' in entry);
    if (lines.length === 0) return [];
    const most = Math.max(1, style.rows - 3);
    const rank = (line: Line): number => (line.state === 'done' ? 2 : line.total > 0 ? 0 : 1);
    const shown = new Set(lines.length <= most ? lines : [...lines].sort((a, b) => rank(a) - rank(b)).slice(0, most));
    const drawn = lines.filter((line) => shown.has(line)).map((line) => lineText(line, style, atMs));
    return [...drawn, this.#summary(lines, style, atMs)];
  }

  #lineOf(id: string): Line {
    const known = this.#lines.get(id);
    if (known) return known;
    const line: Line = {
      id: oneLine(id),
      status: '',
      current: 0,
      total: 0,
      movedBytes: 0,
      moveTotal: 0,
      state: 'running',
    };
    this.#lines.set(id, line);
    this.#entries.push(line);
    return line;
  }

  #count(line: Line): void {
    this.#counted.layers++;
    if (line.state === 'done') this.#counted.done++;
    this.#counted.movedBytes += line.movedBytes;
    this.#counted.moveTotal += line.moveTotal;
  }

  #summary(lines: readonly Line[], style: BoardStyle, atMs: number): string {
    const layers = this.#counted.layers + lines.length;
    const done = this.#counted.done + lines.filter(({ state }) => state === 'done').length;
    const moved = lines.reduce((sum, line) => sum + line.movedBytes, this.#counted.movedBytes);
    const total = lines.reduce((sum, line) => sum + line.moveTotal, this.#counted.moveTotal);
    const speed = this.#speed(moved, atMs);
    const words = [
      `${done} of ${layers} done`,
      total > 0 ? `${formatSize(moved)} of ${formatSize(total)}` : '',
      speed > 0 ? `${formatSize(speed)}/s` : '',
    ].filter((word) => word !== '');
    return paint('dim', `   ${words.join('  ')}`.slice(0, style.columns - 1), style);
  }

  #speed(bytes: number, atMs: number): number {
    this.#samples = [...this.#samples.filter((sample) => atMs - sample.atMs <= speedWindowMs), { atMs, bytes }];
    const first = this.#samples[0];
    if (first === undefined || atMs - first.atMs < 500) return 0;
    return Math.max(0, ((bytes - first.bytes) * 1000) / (atMs - first.atMs));
  }
}

function lineText(line: Line, style: BoardStyle, atMs: number): string {
  const set = symbols[style.symbols];
  const frame = set.running[Math.floor((atMs / 1000) * framesPerSecond) % set.running.length] ?? '';
  const isRunning = line.state === 'running';
  const head = ` ${isRunning ? frame : set.done} ${line.id.padEnd(12)}  ${line.status}`.slice(0, style.columns - 1);
  const marked = head.slice(0, 1) + paint(isRunning ? 'cyan' : 'green', head.slice(1, 2), style) + head.slice(2);
  if (!isRunning) {
    const size = line.moveTotal > 0 ? `  ${formatSize(line.moveTotal)}` : '';
    return head.length + size.length < style.columns ? marked + paint('dim', size, style) : marked;
  }
  if (line.current <= 0 && line.total <= 0) return marked;
  // Bars begin in one column, whatever stands before them.
  const gap = ' '.repeat(Math.max(1, 31 - head.length));
  const count = line.total > 0 ? `${formatSize(line.current)}/${formatSize(line.total)}` : formatSize(line.current);
  const room = Math.min(widestBar, style.columns - 1 - head.length - gap.length - 1 - 15);
  const tail = line.total > 0 && room >= 5 ? `${bar(line.current / line.total, room, style)} ${count}` : count;
  const free = style.columns - 1 - head.length - gap.length;
  return count.length > free ? marked : `${marked}${gap}${tail}`;
}

function bar(share: number, width: number, style: BoardStyle): string {
  const set = symbols[style.symbols];
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  const done = full === 0 ? '' : set.full.repeat(full - 1) + (full < width ? set.head : set.full);
  return paint('cyan', done, style) + paint('dim', set.empty.repeat(width - full), style);
}

function paint(color: 'dim' | 'cyan' | 'green', text: string, style: BoardStyle): string {
  return style.colors === 'on' && text !== '' ? styleText(color, text, { validateStream: false }) : text;
}

/** What a registry has named may hold anything: nothing of it may move the cursor or break the line. */
function oneLine(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}
