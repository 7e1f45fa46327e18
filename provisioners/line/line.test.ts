import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { LocalLine } from './local-line.ts';
import { shellQuote } from './line.ts';
import { asRoot } from './root-line.ts';

const never = new AbortController().signal;

describeWith(['linux'], 'the line to this computer', () => {
  let line: LocalLine;
  beforeEach(() => {
    line = new LocalLine();
  });
  afterEach(() => line[Symbol.asyncDispose]());

  it('keeps output, complaint and exit code of a command apart, and gives it its input', async () => {
    expect(await line.run('cat; echo err >&2; exit 7', { signal: never, input: 'in' })).toEqual({
      stdout: 'in',
      stderr: 'err\n',
      exitCode: 7,
      signal: null,
    });
  });

  it('ends a command that takes too long, with all that it started', async () => {
    const run = line.run('sleep 600 & echo $!; wait', { signal: never, timeoutMs: 200 });
    await expect(run).rejects.toMatchObject({ code: 'timeout' });
  });

  it('says what a failed command said', async () => {
    await expect(line.check('echo no >&2; exit 4', { signal: never })).rejects.toThrow('exit code 4: no');
  });

  it('streams into a command, and tells a full disk', async () => {
    const command = 'echo "tee: No space left on device" >&2; exit 1';
    await expect(line.pipeInto(Readable.from([Buffer.alloc(10)]), { command, signal: never })).rejects.toMatchObject({
      code: 'no-space',
    });
    expect(await line.pipeInto(Readable.from([Buffer.alloc(10)]), { command: 'cat >/dev/null', signal: never })).toBe(
      10,
    );
  });

  it('passes the streams of the caller through', async () => {
    const stdout = new PassThrough();
    const status = await line.exec({
      command: 'cat; exit 5',
      stdin: Readable.from(['one ', 'two']),
      stdout,
      stderr: new PassThrough(),
      terminal: null,
      signal: never,
    });
    stdout.end();
    expect({ ...status, said: await text(stdout) }).toEqual({ exitCode: 5, signal: null, said: 'one two' });
  });
});

/** Reads a password as sudo does, and lets in whoever knows it. */
const playedSudo = (password: string): string => `#!/bin/sh
how=
while [ "$1" != -- ]; do [ "$1" = -S ] && how=ask; shift; [ "$how" = ask ] && [ -z "$1" ] && shift; done
shift
if [ "$how" = ask ]; then
  read -r given
  [ "$given" = "${password}" ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }
elif [ -n "${password}" ]; then
  echo 'sudo: a password is required' >&2; exit 1
fi
export AS_ROOT=yes
exec "$@"
`;

describeWith(['linux'], 'a line with the rights of root', () => {
  let folder: string;
  const path = process.env['PATH'];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-sudo-'));
    process.env['PATH'] = `${folder}:${path}`;
  });
  afterEach(async () => {
    process.env['PATH'] = path;
    await rm(folder, { recursive: true, force: true });
  });
  const sudo = (password: string): Promise<void> =>
    writeFile(join(folder, 'sudo'), playedSudo(password), { mode: 0o755 });

  it.each([
    ['a password', 'secret word'],
    ['none', ''],
  ])('asks sudo with %s, and keeps the command’s own input', async (_what, password) => {
    await sudo(password);
    await using line = new LocalLine();
    const root = asRoot(line, { kind: 'sudo', password: password === '' ? null : password });
    const command = `echo "$AS_ROOT ${shellQuote("it's")}"; cat`;
    expect(await root.check(command, { signal: never, input: 'mine' })).toBe("yes 'it'\\''s'\nmine");
    const sent = await root.pipeInto(Readable.from([Buffer.from('12345')]), {
      command: '[ "$(cat)" = 12345 ]',
      signal: never,
    });
    expect(sent).toBe(5);
  });

  it.each([
    ['secret', null, 'sudo asks for a password on that host: give it as SKIFF_SUDO_PASSWORD'],
    ['secret', 'wrong', 'sudo did not take the password of SKIFF_SUDO_PASSWORD'],
  ])('says what is missing (password %j, given %j)', async (password, given, says) => {
    await sudo(password);
    await using line = new LocalLine();
    const root = asRoot(line, { kind: 'sudo', password: given });
    await expect(root.check('true', { signal: never })).rejects.toMatchObject({ code: 'login-refused', message: says });
  });
});
