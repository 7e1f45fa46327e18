import { describe, expect, it } from 'vitest';
import { skiffCommand, startProgram } from '../../test/peers/program.ts';
import type { RunningProgram } from '../../test/peers/program.ts';
import { lacking } from '../../test/skip.ts';

/** Needs a terminal that a program can make: `script` of util-linux. */
export function terminalSuite(cli: {
  words: (args: readonly string[]) => string[];
  done: (...args: string[]) => Promise<string>;
}): void {
  const reason = lacking(['linux', { program: 'script' }]);
  describe.skipIf(reason !== null)(reason === null ? 'on a terminal' : `on a terminal (${reason})`, () => {
    const onTerminal = (...args: string[]): RunningProgram => {
      const quoted = [skiffCommand[0], ...cli.words(args)].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
      const command = `stty rows 33 cols 99; ${quoted.join(' ')}; echo "exit $?"; stty -a | grep -o -e '-\\?icanon'`;
      return startProgram('script', ['-qec', command, '/dev/null'], { input: null });
    };

    it('gives the container a terminal of the size of ours, and ours back as it was', async () => {
      await using program = onTerminal(
        'run',
        '--rm',
        '-it',
        'hello',
        'sh',
        '-c',
        'stty size; read line; echo got $line; exit 4',
      );
      await program.shows(/33 99/);
      program.type('word\r');
      const { stdout } = await program.ended;
      expect(stdout).toMatch(/33 99\r\nword\r\ngot word\r\nexit 4\r\nicanon\r\n$/);
    });

    it('detaches at ctrl-p ctrl-q and leaves the container running', async () => {
      await using program = onTerminal(
        'run',
        '-it',
        '--name',
        'cli-detach',
        'hello',
        'sh',
        '-c',
        'echo ready; read x; sleep 1000',
      );
      await program.shows(/ready/);
      program.type('\x10');
      program.type('\x11');
      expect((await program.ended).stdout).toMatch(/read escape sequence\r?\nexit 0\r\nicanon\r\n$/);
      expect(await cli.done('inspect', '-f', '{{.State.Running}}', 'cli-detach')).toBe('true');
      await cli.done('rm', '-f', 'cli-detach');
    });

    it('passes a lone ctrl-p and ctrl-c on as keys', async () => {
      await using program = onTerminal(
        'run',
        '--rm',
        '-it',
        'hello',
        'sh',
        '-c',
        'trap "exit 6" INT; echo ready; sleep 1000 & wait',
      );
      await program.shows(/ready/);
      program.type('\x10a\x03');
      expect((await program.ended).stdout).toMatch(/exit 6\r\nicanon\r\n$/);
    });
  });
}
