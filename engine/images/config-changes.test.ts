import { expect, it } from 'vitest';
import { applyChange, type ImageWords } from './config-changes.ts';

const changed = (line: string, config: ImageWords = {}): ImageWords => {
  applyChange(config, line);
  return config;
};

it.each([
  ['CMD', { Cmd: ['/bin/sh', '-c'] }],
  ['CMD []', { Cmd: [] }],
  ['CMD a "b c"', { Cmd: ['/bin/sh', '-c', 'a "b c"'] }],
  ['ENTRYPOINT', { Entrypoint: null }],
  ['USER a b', { User: 'a b' }],
  ['EXPOSE 80 90-91/udp', { ExposedPorts: { '80/tcp': {}, '90/udp': {}, '91/udp': {} } }],
  ['volume ["/a b"]', { Volumes: { '/a b': {} } }],
  ['WORKDIR rel', { WorkingDir: '/rel' }],
  ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
  ['ONBUILD RUN x', { OnBuild: ['RUN x'] }],
  ['LABEL a=1 "b c"="d e"', { Labels: { a: '1', 'b c': 'd e' } }],
])('%s', (line, config) => {
  expect(changed(line)).toEqual(config);
});

it.each([
  ['ENV X=$HOME/x', 'X=/root/x'],
  ['ENV X=${HOME}x', 'X=/rootx'],
  ['ENV X=${NONE:-other}', 'X=other'],
  ['ENV X=${HOME:+there}', 'X=there'],
  ['ENV X=$NONE', 'X='],
  [String.raw`ENV X=\$HOME`, 'X=$HOME'],
  [`ENV X='$HOME'`, 'X=$HOME'],
])('puts variables in: %s', (line, variable) => {
  expect(changed(line, { Env: ['HOME=/root'] })).toEqual({ Env: ['HOME=/root', variable] });
});

it('puts no variables into commands', () => {
  expect(changed('CMD echo $A', { Env: ['A=1'] })).toMatchObject({ Cmd: ['/bin/sh', '-c', 'echo $A'] });
});

it.each([
  ['USER', 'USER requires exactly one argument'],
  ['EXPOSE', 'EXPOSE requires at least one argument'],
  ['EXPOSE x', 'Invalid containerPort: x'],
  ['EXPOSE 9-8', 'Invalid containerPort: 9-8/tcp'],
  ['EXPOSE 1-99999', 'Invalid containerPort: 1-99999/tcp'],
  ['ENV A', 'ENV must have two arguments'],
  ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
  ['SHELL ["a"]', 'SHELL is not a valid change command'],
])('refuses %s', (line, message) => {
  expect(() => changed(line)).toThrow(message);
});
