import { EngineError } from '../model/errors.ts';

/**
 * Why a container could not be started, with the exit code that Docker gives it: 127 the program was not found, 126 it
 * cannot be executed, 128 anything else. The docker CLI takes its own exit code from the text: "executable file not
 * found" or "no such file or directory" is 127, "permission denied" or "is a directory" is 126.
 */
export class StartError extends EngineError {
  readonly exitCode: 126 | 127 | 128;

  constructor(exitCode: 126 | 127 | 128, message: string, options?: ErrorOptions) {
    super(exitCode === 128 ? 'internal' : 'invalid', message, options);
    this.exitCode = exitCode;
  }
}
