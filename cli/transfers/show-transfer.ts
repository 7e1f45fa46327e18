import type { ProgressMessage } from '../../api/images.ts';
import { CommandError } from '../usage-error.ts';
import { write } from '../report.ts';
import type { Context } from '../verb.ts';
import { LayerLines } from './layer-lines.ts';
import type { BoardStyle } from './layer-lines.ts';

/** Anything that text is shown on: `process.stdout` has all of it. */
type Screen = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  hasColors?(): boolean;
};

/** What a shell shows for a program that ctrl-c has ended. */
const interrupted = 130;
const redrawMs = 100;
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';

/**
 * Runs a transfer to its end and shows what it says on `screen`: bars on a terminal, else docker's plain lines; `quiet` reads it and shows
 * nothing. Ctrl-c closes the connection, which ends the transfer in the engine too, and the terminal is as it was. Throws what the
 * engine reports.
 */
export async function showTransfer(
  context: Context,
  screen: Screen | 'quiet',
  begin: (signal: AbortSignal) => Promise<AsyncIterable<ProgressMessage>>,
): Promise<void> {
  const control = new AbortController();
  using _signals = context.onSignal(['SIGINT', 'SIGTERM'], () => {
    control.abort(new CommandError('interrupted', { exitCode: interrupted }));
  });
  const messages = await begin(control.signal);
  if (screen === 'quiet') await drain(messages);
  else if (screen.isTTY) await showLive(messages, screen, context);
  else for await (const message of messages) await write(screen, plainText(message));
  control.signal.throwIfAborted();
}

async function drain(messages: AsyncIterable<ProgressMessage>): Promise<void> {
  for await (const _message of messages); // An error among them is thrown by the reading.
}

/** As docker prints it where nothing can be drawn over: each step once, and nothing of how far it is. */
export function plainText({ stream, status, id, progressDetail }: ProgressMessage): string {
  if (stream !== undefined) return stream;
  if (status === undefined) return '';
  const isCounting = (progressDetail?.current ?? 0) > 0 || (progressDetail?.total ?? 0) > 0;
  return isCounting ? '' : `${id === undefined || id === '' ? '' : `${id}: `}${status}\n`;
}

async function showLive(messages: AsyncIterable<ProgressMessage>, screen: Screen, context: Context): Promise<void> {
  const lines = new LayerLines();
  const drawing = new Drawing(screen);
  const isOldWindows = context.platform === 'win32' && !context.environment['WT_SESSION'];
  const draw = (): void => {
    const style: BoardStyle = {
      columns: screen.columns ?? 80,
      rows: screen.rows ?? 24,
      symbols: isOldWindows ? 'ascii' : 'unicode',
      colors: screen.hasColors?.() ? 'on' : 'off',
    };
    drawing.replace(lines.settled(style), lines.live(style, context.nowMs()));
  };
  const timer = setInterval(draw, redrawMs);
  try {
    for await (const message of messages) lines.take(message);
  } finally {
    clearInterval(timer);
    draw();
    drawing.end();
  }
}

/** The last lines of the screen, drawn over again and again. */
class Drawing {
  readonly #screen: Screen;
  /** Lengths of the lines that stand there. */
  #widths: readonly number[] = [];

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** `settled` stays where the lines began, `live` comes below it. */
  replace(settled: readonly string[], live: readonly string[]): void {
    if (settled.length === 0 && live.length === 0 && this.#widths.length === 0) return;
    // A window that has become narrower has broken them: each is then several rows high.
    const columns = this.#screen.columns ?? 80;
    const up = this.#widths.reduce((rows, width) => rows + Math.max(1, Math.ceil(width / columns)), 0);
    const text = [...settled, ...live].map((line) => `${line}\n`).join('');
    this.#screen.write(
      `${hideCursor}${up > 0 ? `\x1b[${up}A` : ''}\r\x1b[J${text}${live.length === 0 ? showCursor : ''}`,
    );
    this.#widths = live.map((line) => stripColors(line).length);
  }

  end(): void {
    this.#screen.write(showCursor);
  }
}

function stripColors(text: string): string {
  return text.replaceAll(/\x1b\[[0-9;]*m/g, ''); // eslint-disable-line no-control-regex -- our own colours
}
