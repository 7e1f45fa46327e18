import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, MalformedFrame } from './frame-codec.ts';

/** Small deterministic generator, so that a failure can be repeated by its seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

function anyValue(next: () => number, depth: number): unknown {
  const kind = Math.floor(next() * (depth > 3 ? 5 : 7));
  const size = Math.floor(next() * 4);
  if (kind === 0) return null;
  if (kind === 1) return Math.floor(next() * 1e9) - 5e8;
  if (kind === 2) return next() < 0.5;
  if (kind === 3) return 'x"\\\n\u00e9\u{1f6a3}'.repeat(size);
  if (kind === 4) return Uint8Array.from({ length: size * 7 }, () => next() * 256);
  if (kind === 5) return Array.from({ length: size }, () => anyValue(next, depth + 1));
  return Object.fromEntries(
    Array.from({ length: size }, (_, index) => [`k.${index}`, anyValue(next, depth + 1)] as const),
  );
}

describe('the frame codec', () => {
  it('gives back what it was given, whatever that is', () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const frame = { type: 'item', item: anyValue(random(seed), 0) };
      expect(decodeFrame(encodeFrame(frame)), `seed ${seed}`).toEqual(frame);
    }
  });

  it('sends bytes as they are, not as text', () => {
    const bytes = new Uint8Array(100_000).fill(200);
    const message = encodeFrame({ type: 'item', item: { bytes } });
    expect(message).toBeInstanceOf(Uint8Array);
    expect(message.length).toBeLessThan(100_100);
  });

  it('refuses a message that is cut anywhere or has something after its end', () => {
    const message = encodeFrame({ type: 'item', item: [Uint8Array.of(1, 2, 3), new Uint8Array(0)] });
    if (typeof message === 'string') throw new Error('a frame with bytes is binary');
    for (let length = 0; length < message.length; length += 1) {
      expect(() => decodeFrame(message.subarray(0, length)), `cut at ${length}`).toThrow(MalformedFrame);
    }
    expect(() => decodeFrame(Uint8Array.of(...message, 0))).toThrow(MalformedFrame);
  });

  it.each<[string, object]>([
    ['the prototype of all objects', { frame: { a: null }, bytes: [[['__proto__', 'polluted'], 1]] }],
    ['a constructor', { frame: {}, bytes: [[['constructor', 'prototype', 'polluted'], 1]] }],
    ['a place that holds something else', { frame: { a: 1 }, bytes: [[['a'], 1]] }],
    ['a place that is not there', { frame: {}, bytes: [[['a'], 1]] }],
    ['the root', { frame: null, bytes: [[[], 1]] }],
  ])('puts no bytes into %s', (_, header) => {
    const text = new TextEncoder().encode(JSON.stringify(header));
    const message = new Uint8Array(4 + text.length + 1);
    new DataView(message.buffer).setUint32(0, text.length);
    message.set(text, 4);
    expect(() => decodeFrame(message)).toThrow(MalformedFrame);
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});
