import { StartError } from './start-error.ts';

/**
 * Reads crun's words for why it could not start a container, and says it in Docker's: the docker CLI finds its exit code
 * in the text. `program`: the first argument of the container.
 */
export function startErrorFrom(output: string, program: string): StartError {
  const said = output.trim() === '' ? 'the runtime gave no reason' : output.trim();
  const cause = new Error(said);
  const exec = (reason: string): string => `${prefix}exec: ${JSON.stringify(program)}: ${reason}`;
  const fail = (exitCode: 126 | 127 | 128, message: string): StartError => new StartError(exitCode, message, { cause });

  if (/executable file .* not found/.test(said)) {
    return fail(127, exec(program.includes('/') ? `stat ${program}: no such file or directory` : notFound));
  }
  // crun opens the program: these are the answers of open(2), and EPERM is its own for what is no regular file.
  if (/open executable: Permission denied/.test(said)) return fail(126, exec('permission denied'));
  if (/open executable: Operation not permitted/.test(said))
    return fail(126, exec('is a directory: permission denied'));
  if (/open executable: Not a directory/.test(said)) return fail(127, exec(`${notFound}: not a directory`));
  if (/open executable: No such file/.test(said)) return fail(127, exec(notFound));
  if (/exec container process.*No such file or directory/.test(said))
    return fail(127, exec('no such file or directory'));
  if (/exec container process.*(Permission denied)/.test(said)) return fail(126, exec('permission denied'));
  return fail(128, `${prefix}${said}`);
}

const prefix = 'failed to create task for container: failed to start the container process: ';
const notFound = 'executable file not found in $PATH';
