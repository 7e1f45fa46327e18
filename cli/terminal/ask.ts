import type { ReadStream } from 'node:tty';
import { write } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import type { Context } from '../verb.ts';

const interrupted = 130;
const enter = /[\r\n]/;

/**
 * Asks on a terminal and reads one line key by key, without what is typed being seen where it is a secret. Ctrl-c ends the command, ctrl-d on an
 * empty line is an empty answer. Throws CommandError where there is no terminal.
 */
export async function ask(
  context: Context,
  question: string,
  { isSecret }: { readonly isSecret: boolean },
): Promise<string> {
  const { stdin, stdout } = context;
  if (!isTerminal(stdin)) throw new CommandError('Error: Cannot perform an interactive login from a non TTY device');
  await write(stdout, question);
  stdin.setRawMode(true);
  try {
    return await readLine(stdin, (text) => void (isSecret || stdout.write(text)));
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    await write(stdout, '\n');
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
