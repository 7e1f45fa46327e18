import { styleText } from 'node:util';
import type { Context } from '../verb.ts';

/** How a picture of text is drawn. */
export interface PictureStyle {
  readonly columns: number;
  readonly symbols: 'unicode' | 'ascii';
  readonly colors: 'on' | 'off';
}

/** In a pipe: no colours, and as wide as a page. */
export function styleOf({ stdout, platform, environment }: Context): PictureStyle {
  const isOldWindows = platform === 'win32' && !environment['WT_SESSION'];
  return {
    columns: stdout.isTTY ? stdout.columns : 120,
    symbols: isOldWindows ? 'ascii' : 'unicode',
    colors: stdout.isTTY && stdout.hasColors() ? 'on' : 'off',
  };
}

export function paint(color: Parameters<typeof styleText>[0], text: string, { colors }: PictureStyle): string {
  return colors === 'on' && text !== '' ? styleText(color, text, { validateStream: false }) : text;
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of `share` of `width` columns, filled up with spaces; what is more than nothing is never drawn as nothing. */
export function barOf(share: number, width: number, { symbols }: PictureStyle): string {
  const bounded = Math.min(1, Math.max(0, share));
  if (symbols === 'ascii') {
    const full = Math.max(bounded > 0 ? 1 : 0, Math.round(bounded * width));
    return '#'.repeat(full).padEnd(width);
  }
  const parts = Math.max(bounded > 0 ? 1 : 0, Math.round(bounded * width * 8));
  return ('█'.repeat(Math.floor(parts / 8)) + (eighths[parts % 8] ?? '')).padEnd(width);
}
