import type { ReadStream } from 'node:tty';
import { write } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import type { Context } from '../verb.ts';

const interrupted = 130;
const enter = /[\r\n]/;

export interface Question {
  readonly text: string;
  /** What is typed is not seen. */
  readonly isSecret: boolean;
}

/**
 * Asks on a terminal and reads a line for each question, key by key. The terminal echoes nothing from before the first question until after
 * the last answer: who types ahead does not see a password on the screen. Ctrl-c ends the command, ctrl-d on an empty line is an empty
 * answer. Throws CommandError where there is no terminal.
 */
export async function ask(context: Context, questions: readonly Question[]): Promise<readonly string[]> {
  const { stdin, stdout } = context;
  if (!isTerminal(stdin)) throw new CommandError('Error: Cannot perform an interactive login from a non TTY device');
  const answers: string[] = [];
  stdin.setRawMode(true);
  try {
    for (const { text, isSecret } of questions) {
      await write(stdout, text);
      try {
        answers.push(await readLine(stdin, (typed) => void (isSecret || stdout.write(typed))));
      } finally {
        await write(stdout, '\n');
      }
    }
    return answers;
  } finally {
    stdin.setRawMode(false);
  }
}

function isTerminal(stream: Context['stdin']): stream is ReadStream {
  return stream.isTTY === true;
}

/** What came after the end of the line stays for the next question. */
function readLine(stdin: ReadStream, echo: (text: string) => void): Promise<string> {
  let line = '';
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      stdin.off('data', onData).off('end', onEnd);
      // What flows while nobody listens is lost.
      stdin.pause();
      end();
    };
    const onEnd = (): void => settle(() => resolve(line));
    const onData = (part: Buffer | string): void => {
      const keys = [...part.toString()];
      for (const [at, key] of keys.entries()) {
        if (key === '\x03') return settle(() => reject(new CommandError('', { exitCode: interrupted })));
        if (enter.test(key) || (key === '\x04' && line === '')) {
          const rest = keys.slice(at + 1).join('');
          return settle(() => {
            if (rest !== '') stdin.unshift(Buffer.from(rest));
            resolve(line);
          });
        }
        if (key === '\x7f' || key === '\b') {
          if (line !== '') echo('\b \b');
          line = [...line].slice(0, -1).join('');
        } else if (key >= ' ') {
          line += key;
          echo(key);
        }
      }
    };
    stdin.on('data', onData).once('end', onEnd);
    stdin.resume();
  });
}
