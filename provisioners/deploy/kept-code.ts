/**
 * How a release starts its engine (this becomes `skiffd.js`, the engine itself `main.js` beside it). V8 compiles a function
 * when it is first called, and what Node's own compile cache keeps is what was compiled when a file was read, before anything
 * was called: each start would compile again what each start calls, some 400 functions, which takes an emulated machine a
 * third of a second. So the code is kept as V8 has it a moment after the engine's first start, in a file beside the program.
 * And V8's optimising compilers are held back until the start is over: they begin on what a start repeats, and a start of a second has
 * ended before that pays, which in an emulated machine costs another third of a second.
 *
 * That file is a convenience: absent, damaged, or of another Node, it is not used and made again.
 */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** The engine publishes to it once, when its API is served (engine/serve.ts). */
const readyChannel = 'skiffd.ready';

export interface KeptCode {
  /** Absolute; where the program is, and its kept code. */
  readonly folder: string;
  /** A CommonJS program in ASCII that needs no modules but Node's, as the bundler writes it. */
  readonly name: string;
  readonly require: (module: string) => unknown;
  /** How long after the program is ready its start counts as over; by then it has answered those who waited for it. */
  readonly settleMs: number;
  /**
   * Modules of Node that its start needs. What Node keeps of their compiled code is bound to V8's flags: they are loaded before the
   * compilers are held back.
   */
  readonly nodeModules: readonly string[];
  readonly report: (message: string) => void;
}

export function runWithKeptCode({ folder, name, require, settleMs, nodeModules, report }: KeptCode): void {
  const program = `${folder}/${name}`;
  const file = `${program}.code`;
  // As bytes, for text in UTF-8 would be looked through once more.
  const source = readFileSync(program, 'latin1');
  const cachedData = readKeptCode(file);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: program,
    ...(cachedData === null ? {} : { cachedData }),
  });
  const isKept = cachedData !== null && script.cachedDataRejected !== true;
  subscribe(readyChannel, () => {
    setTimeout(() => {
      setCompilers('free');
      if (isKept) return;
      try {
        keepCode(file, script.createCachedData());
      } catch (error) {
        report(`the compiled code could not be kept: ${error instanceof Error ? error.message : String(error)}`);
      }
    }, settleMs).unref();
  });
  for (const module of nodeModules) require(module);
  setCompilers('held');
  const run: unknown = script.runInThisContext();
  if (typeof run !== 'function') throw new TypeError(`${program} is not a CommonJS program`);
  const module = { exports: {} };
  Reflect.apply(run, module.exports, [module.exports, require, module, program, folder]);
}

/** Baseline compiler, Maglev, Turbofan; flags that are back at their default count as never set, so kept code fits them. */
function setCompilers(state: 'held' | 'free'): void {
  for (const compiler of ['sparkplug', 'maglev', 'opt'])
    setFlagsFromString(state === 'held' ? `--no-${compiler}` : `--${compiler}`);
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
