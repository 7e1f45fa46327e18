/**
 * Colours of terminal output, as far as a log needs them: SGR sequences become styles, all other control sequences
 * disappear. Colours beyond the sixteen named ones are drawn as the nearest named one, because only those are known to be
 * readable on every theme. (Source: ECMA-48 8.3.117; 256 and direct colours as xterm has them.)
 */
export type AnsiColour = 'black' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'white';

export interface AnsiStyle {
  readonly colour: AnsiColour | null;
  readonly isBold: boolean;
  readonly isDim: boolean;
  readonly isItalic: boolean;
  readonly isUnderlined: boolean;
  readonly isInverse: boolean;
}

export interface AnsiSpan {
  readonly text: string;
  readonly style: AnsiStyle;
}

export const plainStyle: AnsiStyle = {
  colour: null,
  isBold: false,
  isDim: false,
  isItalic: false,
  isUnderlined: false,
  isInverse: false,
};

const colours: readonly AnsiColour[] = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

// CSI with its parameters and final byte | OSC up to BEL or ST | other two-byte escapes | lone control bytes but tab.
/* eslint-disable no-control-regex -- control bytes are what this file is about */
const sequences =
  /\x1b\[([0-9:;<=>?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f]/g;
/* eslint-enable no-control-regex */

/**
 * One line, and the style that was in force at its end of the line before. The result's `style` goes into the next line
 * of the same stream: programs colour whole blocks.
 */
export function parseAnsi(
  line: string,
  before: AnsiStyle,
): { readonly spans: readonly AnsiSpan[]; readonly style: AnsiStyle } {
  const spans: AnsiSpan[] = [];
  let style = before;
  let from = 0;
  const text = afterLastReturn(line);
  const push = (to: number): void => {
    if (to <= from) return;
    const last = spans.at(-1);
    const piece = text.slice(from, to);
    if (last?.style === style) spans[spans.length - 1] = { text: last.text + piece, style };
    else spans.push({ text: piece, style });
  };
  for (const match of text.matchAll(sequences)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === 'm') style = applySgr(match[1] ?? '', style);
  }
  push(text.length);
  return { spans, style };
}

/** The text alone, for copying and searching. */
export function withoutAnsi(line: string): string {
  return afterLastReturn(line).replace(sequences, '');
}

/** A progress bar writes over its own line; what was written last is what a terminal would show. */
function afterLastReturn(line: string): string {
  const text = line.endsWith('\r') ? line.slice(0, -1) : line;
  const at = text.lastIndexOf('\r');
  return at === -1 ? text : text.slice(at + 1);
}

function applySgr(parameters: string, before: AnsiStyle): AnsiStyle {
  // Private sequences (`?25h`, `>4;1m`) also end in letters; they carry no colour.
  if (/[<=>?]/.test(parameters)) return before;
  const codes = parameters.split(/[;:]/).map((part) => (part === '' ? 0 : Number(part)));
  let style = before;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const taken = extendedColour(codes.slice(at + 1));
      if (code === 38 && taken.colour !== null) style = { ...style, colour: taken.colour };
      at += taken.length;
    } else style = applyCode(code, style);
  }
  return style;
}

function applyCode(code: number, style: AnsiStyle): AnsiStyle {
  if (code === 0) return plainStyle;
  if (code === 1) return { ...style, isBold: true };
  if (code === 2) return { ...style, isDim: true };
  if (code === 3) return { ...style, isItalic: true };
  if (code === 4) return { ...style, isUnderlined: true };
  if (code === 7) return { ...style, isInverse: true };
  if (code === 22) return { ...style, isBold: false, isDim: false };
  if (code === 23) return { ...style, isItalic: false };
  if (code === 24) return { ...style, isUnderlined: false };
  if (code === 27) return { ...style, isInverse: false };
  if (code === 39) return { ...style, colour: null };
  if (code >= 30 && code <= 37) return { ...style, colour: colours[code - 30] ?? null };
  if (code >= 90 && code <= 97) return { ...style, colour: colours[code - 90] ?? null };
  return style;
}

/** The colour after 38 or 48, and how many parameters it took. */
function extendedColour(rest: readonly number[]): { readonly colour: AnsiColour | null; readonly length: number } {
  const [kind, first = 0, second = 0, third = 0] = rest;
  if (kind === 2) return { colour: nearest(first, second, third), length: 4 };
  if (kind !== 5) return { colour: null, length: 0 };
  if (first < 16) return { colour: colours[first % 8] ?? null, length: 2 };
  if (first >= 232) return { colour: first >= 244 ? 'white' : 'black', length: 2 };
  const cube = first - 16;
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  return { colour: nearest(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)), length: 2 };
}

function nearest(red: number, green: number, blue: number): AnsiColour {
  const high = Math.max(red, green, blue);
  const low = Math.min(red, green, blue);
  if (high - low < 40) return high > 110 ? 'white' : 'black';
  const half = (high + low) / 2;
  const bits = Number(red > half) + 2 * Number(green > half) + 4 * Number(blue > half);
  return colours[bits] ?? 'white';
}
