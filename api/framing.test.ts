import { describe, expect, it } from 'vitest';
import { FrameDecoder, FramingError, frameHeader } from './framing.ts';

const wire = Buffer.concat([
  frameHeader('stdout', 5),
  Buffer.from('hello'),
  frameHeader('stderr', 0),
  frameHeader('error', 3),
  Buffer.from('bad'),
]);

describe('frames', () => {
  it('are found again however the stream is cut', () => {
    for (let size = 1; size <= wire.length; size++) {
      const decoder = new FrameDecoder();
      const seen: string[] = [];
      for (let at = 0; at < wire.length; at += size) {
        for (const { stream, payload } of decoder.push(wire.subarray(at, at + size))) seen.push(`${stream}:${payload}`);
      }
      expect(seen).toEqual(['stdout:hello', 'stderr:', 'error:bad']);
      expect(decoder.isInsideFrame).toBe(false);
    }
  });

  it('that stop half way are noticed', () => {
    const decoder = new FrameDecoder();
    decoder.push(wire.subarray(0, 10));
    expect(decoder.isInsideFrame).toBe(true);
  });

  it.each([
    ['an unknown stream', Buffer.from([9, 0, 0, 0, 0, 0, 0, 0])],
    ['plain text', Buffer.from('hello, world')],
    ['an absurd length', Buffer.from([1, 0, 0, 0, 255, 0, 0, 0])],
  ])('refuse %s', (_what, bytes) => {
    expect(() => new FrameDecoder().push(bytes)).toThrow(FramingError);
  });
});
