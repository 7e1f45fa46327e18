import { invalid } from '../model/errors.ts';

/** `10m`, `1.5g`, `4096`: bytes, in powers of 1024. Throws `invalid`, with the option's name. */
export function parseLogSize(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match?.[2] ?? '').toLowerCase());
  const bytes = Math.floor(Number(match?.[1] ?? 0) * 1024 ** power);
  if (match === null || bytes < 1) {
    const suffix = /^\d[\d.]* ?([a-z]+)$/i.exec(text)?.[1];
    const why = match === null && suffix !== undefined ? `invalid suffix: '${suffix}'` : `invalid size: '${text}'`;
    throw invalid(`error parsing option ${option}: ${why}`);
  }
  return bytes;
}
