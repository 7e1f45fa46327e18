import { describe, expect, it } from 'vitest';
import type { PortSummary } from '../../api/containers.ts';
import { ellipsis, formatPorts } from './containers.ts';
import { rowLines } from './rows.ts';
import type { RowFormat } from './rows.ts';
import { formatMemory, formatSize, parseMemory } from './sizes.ts';
import { tableLines } from './table.ts';
import { formatMoment, humanDuration, parseDuration, parseMoment } from './times.ts';

it.each([
  [0, '0B'],
  [999, '999B'],
  [1_000, '1kB'],
  [13_256, '13.3kB'],
  [1_234_567, '1.23MB'],
  [4_261_550, '4.26MB'],
  [123_456_789, '123MB'],
  [1e12, '1TB'],
])('prints %d bytes as %s', (sizeBytes, text) => expect(formatSize(sizeBytes)).toBe(text));

it('prints memory in binary units', () =>
  expect([2_080_374_784, 512, 1024].map(formatMemory)).toEqual(['1.938GiB', '512B', '1KiB']));

it.each([
  ['512m', 536_870_912],
  ['1.5g', 1_610_612_736],
  ['2GiB', 2_147_483_648],
  ['10 kb', 10_240],
  ['100', 100],
  ['100b', 100],
])('reads %s as %d bytes', (text, sizeBytes) => expect(parseMemory(text)).toBe(sizeBytes));

it.each(['foo', '', 'm', '-1', '1x', '1.5.2g'])('refuses %j as a size', (text) =>
  expect(() => parseMemory(text)).toThrow(`invalid size: '${text}'`),
);

const second = 1000;
const hour = 3600 * second;
it.each([
  [0, 'Less than a second'],
  [999, 'Less than a second'],
  [second, '1 second'],
  [59 * second, '59 seconds'],
  [60 * second, 'About a minute'],
  [180 * second, '3 minutes'],
  [59 * 60 * second, '59 minutes'],
  [hour, 'About an hour'],
  [1.6 * hour, '2 hours'],
  [47 * hour, '47 hours'],
  [48 * hour, '2 days'],
  [14 * 24 * hour, '2 weeks'],
  [60 * 24 * hour, '2 months'],
  [730 * 24 * hour, '2 years'],
])('calls %d ms %s', (durationMs, text) => expect(humanDuration(durationMs)).toBe(text));

it.each([
  ['1h30m', 5400],
  ['1.5s', 1.5],
  ['-10m', -600],
  ['100ms', 0.1],
  ['0', 0],
  ['10', null],
  ['1h x', null],
  ['', null],
])('reads %s as a duration of %s s', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

describe('moments', () => {
  const nowMs = 1_700_000_000_500;

  it.each([
    ['1700000000', '1700000000'],
    ['1700000000.123456789', '1700000000.123456789'],
    ['10s', '1699999990.500000000'],
    ['2026-01-02T15:04:05Z', '1767366245'],
    ['2026-01-02T15:04:05.25+01:00', '1767362645.250000000'],
  ])('reads %s', (text, moment) => expect(parseMoment(text, nowMs)).toBe(moment));

  it('takes a time without a zone as local', () => {
    expect(parseMoment('2026-01-02', nowMs)).toBe(String(new Date(2026, 0, 2).getTime() / 1000));
    expect(parseMoment('2026-01-02T15', nowMs)).toBe(String(new Date(2026, 0, 2, 15).getTime() / 1000));
  });

  it.each(['yesterday', '2026-13-01', '1700000000.1234567890', '2026-1-1'])('refuses %s', (text) =>
    expect(() => parseMoment(text, nowMs)).toThrow(`failed to parse value as time or duration: "${text}"`),
  );

  it('prints them with the zone', () =>
    expect(formatMoment(new Date(2026, 10, 21, 9, 5, 6))).toMatch(/^2026-11-21 09:05:06 [-+]\d{4} \S+$/));
});

it('aligns columns as docker does', () =>
  expect(
    tableLines([
      ['CONTAINER ID', 'IMAGE', 'NAMES'],
      ['167c76fac5d3', 'hello', 'üüü'],
      ['c07f08bb7318', 'ünïcödé-image', ''],
    ]),
  ).toEqual([
    'CONTAINER ID   IMAGE           NAMES',
    '167c76fac5d3   hello           üüü',
    'c07f08bb7318   ünïcödé-image   ',
  ]));

it('shortens with an ellipsis by characters', () =>
  expect([ellipsis('12345', 5), ellipsis('123456', 5), ellipsis('𝒳𝒳𝒳', 2)]).toEqual(['12345', '1234…', '𝒳…']));

describe('ports', () => {
  const port = (
    PrivatePort: number,
    PublicPort?: number,
    IP?: string,
    Type: PortSummary['Type'] = 'tcp',
  ): PortSummary => ({
    PrivatePort,
    Type,
    ...(PublicPort === undefined ? {} : { PublicPort }),
    ...(IP === undefined ? {} : { IP }),
  });

  it.each([
    { ports: [], text: '' },
    { ports: [port(80)], text: '80/tcp' },
    { ports: [port(80, 8080, '0.0.0.0'), port(80, 8080, '::')], text: '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp' },
    { ports: [port(82), port(80), port(81), port(90)], text: '80-82/tcp, 90/tcp' },
    { ports: [port(80, 80, '1.2.3.4'), port(81, 81, '1.2.3.4')], text: '1.2.3.4:80-81->80-81/tcp' },
    { ports: [port(53, 53, '::', 'udp'), port(53)], text: '53/tcp, [::]:53->53/udp' },
  ])('$text', ({ ports, text }) => expect(formatPorts(ports)).toBe(text));
});

describe('rows', () => {
  const format: RowFormat<'ID' | 'Name'> = {
    titles: { ID: 'THE ID', Name: 'NAME' },
    table: ['Name', 'ID'],
    quiet: 'ID',
  };
  const rows = [{ Name: 'a', ID: '1' }, { Name: 'b', ID: '2' }]; // prettier-ignore
  it.each([
    { isQuiet: false, format: undefined, lines: ['NAME      THE ID', 'a         1', 'b         2'] },
    { isQuiet: true, format: undefined, lines: ['1', '2'] },
    { isQuiet: true, format: 'table', lines: ['1', '2'] },
    { isQuiet: false, format: 'json', lines: ['{"ID":"1","Name":"a"}', '{"ID":"2","Name":"b"}'] },
    { isQuiet: false, format: '{{json .}}', lines: ['{"ID":"1","Name":"a"}', '{"ID":"2","Name":"b"}'] },
    { isQuiet: false, format: '{{.Name}}={{.ID}}', lines: ['a=1', 'b=2'] },
    {
      isQuiet: false,
      format: 'table {{.ID}}\\t{{.Name | upper}}',
      lines: ['THE ID    NAME', '1         A', '2         B'],
    },
  ])('$format quiet=$isQuiet', ({ lines, ...options }) => expect(rowLines(format, rows, options)).toEqual(lines));

  it.each(['{{.Bogus}}', 'table {{.Bogus}}'])('names the fields that there are instead of the one in %s', (text) =>
    expect(() => rowLines(format, rows, { isQuiet: false, format: text })).toThrow(
      /map has no entry for key "Bogus"; there are: ID, Name/,
    ),
  );
});
