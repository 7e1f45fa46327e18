import { StartError } from './start-error.ts';

/**
 * Reads crun's words for why it could not start a container, and says it in Docker's: the docker CLI finds its exit code
 * in the text. `program`: the first argument of the process.
 */
export function startErrorFrom(output: string, program: string, verb: 'run' | 'exec' = 'run'): StartError {
  const prefix = prefixes[verb];
  const said = output.trim() === '' ? 'the runtime gave no reason' : output.trim();
  const cause = new Error(said);
  const exec = (reason: string): string => `${prefix}exec: ${JSON.stringify(program)}: ${reason}`;
  const fail = (exitCode: 126 | 127 | 128, message: string): StartError => new StartError(exitCode, message, { cause });

  if (/executable file .* not found/.test(said)) {
    return fail(127, exec(program.includes('/') ? `stat ${program}: no such file or directory` : notFound));
  }
  if (program === '') return fail(127, exec(notFound));
  // crun opens the program: these are the answers of open(2), and EPERM is its own for what is no regular file.
  if (/open executable: Permission denied/.test(said)) return fail(126, exec('permission denied'));
  if (/open executable: Operation not permitted|the path `.*` is not a regular file/.test(said))
    return fail(126, exec('permission denied'));
  // Since 1.9 it looks first.
  if (/the path `.*` exists but it is not executable/.test(said)) return fail(126, exec('permission denied'));
  if (/cannot find `.*` in \$PATH/.test(said)) return fail(127, exec(notFound));
  if (/cannot open `.*`: Too many levels/.test(said))
    return fail(128, exec(`stat ${program}: too many levels of symbolic links`));
  if (/(open executable|cannot open `.*`): Not a directory/.test(said))
    return fail(127, exec(`${notFound}: not a directory`));
  if (/open executable: No such file/.test(said)) return fail(127, exec(notFound));
  if (/exec container process.*No such file or directory/.test(said))
    return fail(127, exec('no such file or directory'));
  if (/exec container process.*(Permission denied)/.test(said)) return fail(126, exec('permission denied'));
  const folder = /chdir `(.*)`: (No such file or directory|Permission denied|Not a directory)/.exec(said);
  // A container's own is made before; in an exec docker tells these from the rest.
  if (folder !== null && verb === 'exec')
    return fail(
      folder[2] === 'No such file or directory' ? 127 : 126,
      `${prefix}chdir to cwd (${JSON.stringify(folder[1])}) set in config.json failed: ${folder[2]?.toLowerCase() ?? ''}`,
    );
  return fail(128, `${prefix}${said}`);
}

const prefixes = {
  run: 'failed to create task for container: failed to start the container process: ',
  exec: 'OCI runtime exec failed: exec failed: unable to start container process: ',
};
const notFound = 'executable file not found in $PATH';
