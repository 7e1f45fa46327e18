/**
 * How a release starts its engine (this becomes `skiffd.js`, the engine itself `main.js` beside it). V8 compiles a function
 * when it is first called, and what Node's own compile cache keeps is what was compiled when a file was read, before anything
 * was called: each start would compile again what each start calls, some 400 functions, which takes an emulated machine a
 * third of a second. So the code is kept as V8 has it a moment after the engine's first start, in a file beside the program.
 *
 * That file is a convenience: absent, damaged, or of another Node, it is not used and made again.
 */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** The engine publishes to it once, when its API is served (engine/serve.ts). */
const readyChannel = 'skiffd.ready';

export interface KeptCode {
  /** A CommonJS program in ASCII, as the bundler writes it. */
  readonly program: string;
  /** How long after the program is ready its code is kept; by then it has answered those who waited for it. */
  readonly settleMs: number;
  readonly report: (message: string) => void;
}

export function runWithKeptCode({ program, settleMs, report }: KeptCode): void {
  const file = `${program}.code`;
  // As bytes, for text in UTF-8 would be looked through once more.
  const source = readFileSync(program, 'latin1');
  const cachedData = readKeptCode(file);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: program,
    ...(cachedData === null ? {} : { cachedData }),
  });
  if (cachedData === null || script.cachedDataRejected === true) {
    subscribe(readyChannel, () => {
      setTimeout(() => {
        try {
          keepCode(file, script.createCachedData());
        } catch (error) {
          report(`the compiled code could not be kept: ${error instanceof Error ? error.message : String(error)}`);
        }
      }, settleMs).unref();
    });
  }
  const run: unknown = script.runInThisContext();
  if (typeof run !== 'function') throw new TypeError(`${program} is not a CommonJS program`);
  const module = { exports: {} };
  Reflect.apply(run, module.exports, [module.exports, createRequire(program), module, program, dirname(program)]);
}

const checksumBytes = 4;

/** V8 believes what it is given, and a file whose end a power cut turned into zeros would end the process: hence the checksum. */
function readKeptCode(file: string): Buffer | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return null; // the first start of this release
  }
  const code = bytes.subarray(checksumBytes);
  return code.length > 0 && bytes.readUInt32LE(0) === crc32(code) ? code : null;
}

function keepCode(file: string, code: Buffer): void {
  const checksum = Buffer.alloc(checksumBytes);
  checksum.writeUInt32LE(crc32(code));
  writeFileSync(`${file}.new`, Buffer.concat([checksum, code]), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
