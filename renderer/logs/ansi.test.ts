import { expect, test } from 'vitest';
import { parseAnsi, plainStyle, withoutAnsi } from './ansi.ts';
import { randomNumbers } from '../lists/random-numbers.ts';

const esc = '\u001b';
const drawn = (line: string): readonly string[] =>
  parseAnsi(line, plainStyle).spans.map(
    ({ text, style }) => `${style.colour ?? 'plain'}${style.isBold ? '+bold' : ''}:${text}`,
  );

test.each([
  ['plain words', ['plain:plain words']],
  ['', []],
  [`${esc}[31mred${esc}[0m rest`, ['red:red', 'plain: rest']],
  [`${esc}[1;32mgo${esc}[22m on`, ['green+bold:go', 'green: on']],
  [`${esc}[91mbright${esc}[39m.`, ['red:bright', 'plain:.']],
  [`${esc}[mreset by nothing`, ['plain:reset by nothing']],
  [`${esc}[38;5;196m196${esc}[38;5;21m21`, ['red:196', 'blue:21']],
  [`${esc}[38;2;0;200;210mdirect`, ['cyan:direct']],
  [`${esc}[38;5;250mgrey`, ['white:grey']],
  [`${esc}[48;5;196mbackground only`, ['plain:background only']],
  [`${esc}[48;2;1;31;1mits numbers are no codes`, ['plain:its numbers are no codes']],
  [`${esc}[?25l${esc}[2Khidden cursor`, ['plain:hidden cursor']],
  [`${esc}]0;title\u0007after the title`, ['plain:after the title']],
  [`10 %\r50 %\r100 %`, ['plain:100 %']],
  [`windows line\r`, ['plain:windows line']],
  [`bell\u0007 and\ttab`, ['plain:bell and\ttab']],
  [`cut off ${esc}[3`, ['plain:cut off 3']],
  [`cut off ${esc}`, ['plain:cut off ']],
])('%j is drawn as it would be in a terminal', (line, expected) => {
  expect(drawn(line)).toEqual(expected);
});

test('a style goes on in the next line', () => {
  const first = parseAnsi(`${esc}[33mone`, plainStyle);
  expect(parseAnsi('two', first.style).spans).toEqual([{ text: 'two', style: { ...plainStyle, colour: 'yellow' } }]);
});

test('for any bytes, the spans together are the text without sequences, and no escape is left', () => {
  const alphabet = [esc, '[', ']', '0', '31', ';', 'm', 'K', '\r', 'a', 'ü', '\u0007', '?', '38', '5', ' '];
  for (let seed = 1; seed <= 500; seed += 1) {
    const random = randomNumbers(seed);
    const line = Array.from({ length: random(30) }, () => alphabet[random(alphabet.length)]).join('');
    const together = parseAnsi(line, plainStyle)
      .spans.map((span) => span.text)
      .join('');
    expect(together, JSON.stringify(line)).toBe(withoutAnsi(line));
    expect(together).not.toContain(esc);
  }
});
