/** What a terminal's line discipline does to bytes, as far as the fake engine's programs can tell. */

export function cookOutput(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replaceAll(/\r?\n/g, '\r\n'), 'latin1');
}

export interface InputPiece {
  readonly input: Buffer;
  readonly echo: Buffer;
  readonly signal: 'INT' | null;
  readonly isEnd: boolean;
}

export function cookInput(bytes: Buffer): InputPiece[] {
  return [...bytes].map((byte) => {
    if (byte === 3) return { input: Buffer.alloc(0), echo: Buffer.from('^C'), signal: 'INT', isEnd: false };
    if (byte === 4) return { input: Buffer.alloc(0), echo: Buffer.alloc(0), signal: null, isEnd: true };
    const cooked = Buffer.from([byte === 13 ? 10 : byte]);
    return { input: cooked, echo: cooked, signal: null, isEnd: false };
  });
}
