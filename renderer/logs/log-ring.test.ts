import { expect, test } from 'vitest';
import { LogRing, type LogStream } from './log-ring.ts';
import { withoutAnsi } from './ansi.ts';
import { randomNumbers } from '../lists/random-numbers.ts';

const texts = (ring: LogRing): readonly string[] => ring.lines.map((line) => withoutAnsi(line.raw));
const out = (text: string, stream: LogStream = 'stdout') => ({ stream, text, time: null });

test('a line that comes in pieces is one line, shown before it is complete', () => {
  const ring = new LogRing({ capacity: 10 });
  ring.push(out('hel'));
  expect(texts(ring)).toEqual(['hel']);
  ring.push(out('lo\nwor'));
  ring.push(out('ld\n\n'));
  expect(texts(ring)).toEqual(['hello', 'world', '']);
});

test('open lines of stdout and stderr do not mix', () => {
  const ring = new LogRing({ capacity: 10 });
  ring.push(out('o1 '));
  ring.push(out('e1 ', 'stderr'));
  ring.push(out('o2\n'));
  ring.push(out('e2\n', 'stderr'));
  expect(ring.lines.map((line) => `${line.stream} ${line.raw}`)).toEqual(['stdout o1 o2', 'stderr e1 e2']);
});

test('a colour that is split between two chunks is still a colour, and lasts over lines', () => {
  const ring = new LogRing({ capacity: 10 });
  ring.push(out('\u001b[3'));
  ring.push(out('1mred\nstill\u001b[0m'));
  ring.push(out(' not\n'));
  expect(ring.lines.map((line) => line.spans.map((span) => [span.style.colour, span.text]))).toEqual([
    [['red', 'red']],
    [
      ['red', 'still'],
      [null, ' not'],
    ],
  ]);
});

test('the oldest lines are forgotten in blocks and counted', () => {
  const ring = new LogRing({ capacity: 100 });
  for (let line = 0; line < 125; line += 1) ring.push(out(`${line}\n`));
  expect(ring.trim()).toBe(0);
  ring.push(out('last\n'));
  expect(ring.trim()).toBe(26);
  expect(ring.lines).toHaveLength(100);
  expect(ring.droppedCount).toBe(26);
  expect(ring.lines[0]).toMatchObject({ id: 26, raw: '26' });
  ring.push(out('more'));
  expect(ring.lines.at(-1)).toMatchObject({ id: 126, raw: 'more' });
});

test('a line without end is broken instead of growing for ever', () => {
  const ring = new LogRing({ capacity: 100, longestLine: 10 });
  ring.push(out('x'.repeat(25)));
  ring.push(out('y'.repeat(5)));
  ring.push(out('z\n'));
  expect(texts(ring)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5) + 'y'.repeat(5), 'z']);
});

test('for any way of cutting the output into chunks, the lines of each stream are those of the output', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const random = randomNumbers(seed);
    const ring = new LogRing({ capacity: 10_000 });
    const written: Record<LogStream, string> = { stdout: '', stderr: '' };
    for (let chunk = 0; chunk < 40; chunk += 1) {
      const stream: LogStream = random(3) === 0 ? 'stderr' : 'stdout';
      const text = Array.from({ length: random(8) }, () => ['a', 'b', '\n'][random(3)]).join('');
      written[stream] += text;
      ring.push(out(text, stream));
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const lines = written[stream].split('\n');
      if (lines.at(-1) === '') lines.pop();
      expect(
        ring.lines.filter((line) => line.stream === stream).map((line) => line.raw),
        `seed ${seed}`,
      ).toEqual(lines);
    }
    expect(ring.lines.map((line) => line.id)).toEqual(ring.lines.map((_, index) => index));
  }
});
