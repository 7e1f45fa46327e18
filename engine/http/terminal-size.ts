import { invalid } from '../model/errors.ts';
import type { TerminalSize } from '../monitor/monitor.ts';
import type { Exchange } from './exchange.ts';

/** `h` and `w` of a resize, in docker's words when they are none. */
export function terminalSize(exchange: Exchange): TerminalSize {
  return { rows: sideOf(exchange, 'h', 'height'), columns: sideOf(exchange, 'w', 'width') };
}

function sideOf(exchange: Exchange, name: 'h' | 'w', what: string): number {
  const text = exchange.query.get(name) ?? '';
  if (!/^\d+$/.test(text)) throw invalid(`invalid resize ${what} "${text}": invalid syntax`);
  if (Number(text) >= 2 ** 32) throw invalid(`invalid resize ${what} "${text}": value out of range`);
  // A terminal keeps its size in 16 bits.
  return Math.min(Number(text), 65_535);
}
