import { createHash, randomUUID } from 'node:crypto';
import * as filePromises from 'node:fs/promises';
import { cp, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';
import { z } from 'zod';
import { MachineError } from '../machines.ts';
import { startedQuietly } from '../secrets/quiet-environment.ts';
import { isErrno } from '../store/atomic-file.ts';
import type { EngineRelease, ReleaseArchitecture, ReleaseFile, ReleaseManifest } from './engine-release.ts';
import { engineProgram, engineRelease, readEngineRelease } from './engine-release.ts';

/**
 * Makes a release out of a checkout: the engine, and each program that it starts by URL (its monitor, its workers),
 * bundled into one file each, and koffi's native module for Linux beside them. Bundled files start in half the
 * time of sources on an emulated processor, and a release is a handful of files instead of a thousand. What a machine
 * starts is `skiffd.js`; it runs the engine, `main.js`, with the code that was kept of it (kept-code.ts).
 *
 * Programs are found by how they are named: `new URL('./some-worker.ts', import.meta.url)`. In the bundle each such name
 * becomes the name of the bundled file.
 */
export interface BuildRelease {
  /** Root of the checkout. */
  readonly checkout: string;
  readonly arch: ReleaseArchitecture;
  /** Replaced as a whole. */
  readonly folder: string;
}

/** Counts changes of this file that change what comes out of the same sources. */
const builderVersion = 7;

const bundledEngine = 'main.js';

/**
 * What the engine loads of Node until its API is served (kept-code.ts says what for). No more than that: past some fifty modules V8's
 * optimising compiler begins on how Node loads them.
 */
const modulesOfStart = [
  'node:child_process',
  'node:cluster',
  'node:crypto',
  'node:http',
  'node:net',
  'node:os',
  'node:sqlite',
  'node:stream/promises',
  'node:timers/promises',
] as const;

const inputsSchema = z.object({ builder: z.literal(builderVersion), files: z.record(z.string(), z.string()) });
type Inputs = z.infer<typeof inputsSchema>;

/** As `buildEngineRelease`, but takes what lies there when nothing that it was made of has changed. A few milliseconds then. */
export async function freshEngineRelease(request: BuildRelease): Promise<EngineRelease> {
  try {
    const inputs = inputsSchema.parse(JSON.parse(await readFile(join(request.folder, 'inputs.json'), 'utf8')));
    const now = await fingerprints(request.checkout, Object.keys(inputs.files));
    if (JSON.stringify(now) === JSON.stringify(inputs)) return await readEngineRelease(request.folder);
  } catch {
    // Absent, damaged or of another form: it is made anew below.
  }
  return buildEngineRelease(request);
}

export async function buildEngineRelease(request: BuildRelease): Promise<EngineRelease> {
  const { checkout, arch, folder } = request;
  const making = `${folder}.${randomUUID().slice(0, 8)}.new`;
  const files = join(making, 'files');
  try {
    await mkdir(files, { recursive: true });
    const version = await checkoutVersion(checkout);
    const inputs = await bundlePrograms({ checkout, arch, folder: files, version });
    await copyKoffi({ checkout, arch, folder: files });
    const manifest: ReleaseManifest = { format: 1, engineVersion: version, arch, files: await listFiles(files) };
    await writeFile(join(making, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await writeFile(join(making, 'inputs.json'), JSON.stringify(await fingerprints(checkout, inputs)));
    await replaceFolder(making, folder);
    return engineRelease(folder, manifest);
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw error;
  }
}

async function checkoutVersion(checkout: string): Promise<string> {
  const text = await readFile(join(checkout, 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** Returns the sources that went in, relative to the checkout. */
async function bundlePrograms(options: BuildRelease & { readonly version: string }): Promise<string[]> {
  const { checkout, arch, folder, version } = options;
  // A packaged app carries finished releases and no bundler.
  const { build } = await import('esbuild');
  const outputs = new Map<string, string>([[join(checkout, 'engine/main.ts'), bundledEngine]]);
  const inputs = new Set<string>(['package.json', 'package-lock.json']);
  const bundle = async (entry: Pick<BuildOptions, 'entryPoints' | 'stdin'>, output: string): Promise<void> => {
    const request: BuildOptions & { readonly metafile: true } = {
      ...entry,
      outfile: join(folder, output),
      absWorkingDir: checkout,
      bundle: true,
      platform: 'node',
      target: 'node24',
      // Node starts a CommonJS program in half the time of an ES module: 28 against 70 ms here, ten times that when emulated.
      format: 'cjs',
      minifySyntax: true,
      minifyWhitespace: true,
      define: {
        SKIFF_VERSION: JSON.stringify(version),
        SKIFF_COMMIT: JSON.stringify('bundle'),
        'import.meta.url': '__skiffUrl',
      },
      banner: {
        js: 'entryPoints' in entry ? "const __skiffUrl=require('node:url').pathToFileURL(__filename).href;" : '',
      },
      legalComments: 'none',
      metafile: true,
      logLevel: 'silent',
      plugins: [programNames({ checkout, outputs }), nativeKoffi(arch), lateFilePromises()],
    };
    const result = await startedQuietly(() => build(request)).catch((cause: unknown) => {
      throw new MachineError(
        'deploy-failed',
        `The engine could not be bundled: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    });
    for (const input of Object.keys(result.metafile.inputs))
      if (input !== '<stdin>' && !madeNamespaces.some((namespace) => input.startsWith(namespace))) inputs.add(input);
  };
  // Grows while it is walked: a program may start others.
  for (const [source, output] of outputs) await bundle({ entryPoints: [source] }, output);
  await bundle({ stdin: { contents: startOf(bundledEngine), resolveDir: import.meta.dirname } }, engineProgram);
  await writeFile(join(folder, 'package.json'), '{"type":"commonjs"}\n');
  return [...inputs].sort();
}

/** The program that starts another one of the release with its kept code. */
function startOf(program: string): string {
  return [
    `import { runWithKeptCode } from './kept-code.ts';`,
    `process.chdir('/');`,
    `runWithKeptCode({`,
    // Set by `run`, which starts it by a path that is shorter, and good for this process alone.
    `  folder: process.env.SKIFF_RELEASE ?? __dirname,`,
    `  name: ${JSON.stringify(program)},`,
    `  require,`,
    `  settleMs: 2_000,`,
    `  nodeModules: ${JSON.stringify(modulesOfStart)},`,
    `  report: (message) => process.stderr.write('skiffd: ' + message + '\\n'),`,
    `});`,
  ].join('\n');
}

/** Notes programs that sources start by URL, and puts the bundled names in their place. */
function programNames(options: { readonly checkout: string; readonly outputs: Map<string, string> }): Plugin {
  const { checkout, outputs } = options;
  return {
    name: 'skiff-programs',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        const contents = text.replaceAll(
          /new URL\(\s*'(\.[^']+\.ts)',\s*import\.meta\.url,?\s*\)/g,
          (_whole, name: string) => {
            const program = join(dirname(path), name);
            const output = outputs.get(program) ?? programOutput(relative(join(checkout, 'engine'), program));
            outputs.set(program, output);
            return `new URL('./${output}', import.meta.url)`;
          },
        );
        return { contents, loader: 'ts' };
      });
    },
  };
}

/** `monitor/main.ts` becomes `monitor-main.js`. */
function programOutput(path: string): string {
  return `${path.split(sep).join('-').replace(/\.ts$/, '')}.js`;
}

const koffiNamespace = 'skiff-koffi';
const lateNamespace = 'skiff-late';
/** Of modules that plugins make. */
const madeNamespaces = [koffiNamespace, lateNamespace];

/**
 * In place of koffi's own start, which reads six files to find out what its native module is called: a tenth of a second of an
 * engine's start in an emulated machine. What koffi's start adds to the module are warnings of what is no longer to be used.
 */
function nativeKoffi(arch: ReleaseArchitecture): Plugin {
  return {
    name: 'skiff-koffi',
    setup(build) {
      build.onResolve({ filter: /^koffi$/ }, () => ({ path: 'koffi', namespace: koffiNamespace }));
      build.onLoad({ filter: /.*/, namespace: koffiNamespace }, () => ({
        contents: [
          `import { readFileSync } from 'node:fs';`,
          `import { join } from 'node:path';`,
          // Which C library this Node runs with: its loader is mapped.
          `const libc = readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'linux';`,
          `const native = { exports: {} };`,
          `process.dlopen(native, join(__dirname, 'koffi', libc + ${JSON.stringify(`_${arch}`)}, 'koffi.node'));`,
          `export default native.exports;`,
        ].join('\n'),
        loader: 'js',
      }));
    },
  };
}

/**
 * `node:fs/promises`, loaded when something of it is first called: it brings a dozen modules along, those for lines of terminals among
 * them, and an engine's start needs none of them.
 */
function lateFilePromises(): Plugin {
  return {
    name: 'skiff-late-file-promises',
    setup(build) {
      build.onResolve({ filter: /^node:fs\/promises$/ }, ({ path }) => ({ path, namespace: lateNamespace }));
      build.onLoad({ filter: /.*/, namespace: lateNamespace }, () => {
        const names = Object.entries(filePromises).flatMap(([name, value]) =>
          typeof value === 'function' ? name : [],
        );
        const wrappers = names.map((name) => `export const ${name} = (...given) => fs.promises.${name}(...given);`);
        return { contents: [`import fs from 'node:fs';`, ...wrappers].join('\n'), loader: 'js' };
      });
    },
  };
}

/** Its native modules, for glibc and for musl. */
async function copyKoffi(options: {
  readonly checkout: string;
  readonly arch: ReleaseArchitecture;
  readonly folder: string;
}): Promise<void> {
  const { checkout, arch, folder } = options;
  const koffi = dirname(createRequire(join(checkout, 'package.json')).resolve('koffi'));
  const name = `@koromix/koffi-linux-${arch}`;
  await copyFile(join(koffi, 'LICENSE.txt'), join(folder, 'koffi', 'LICENSE.txt'));
  for (const part of ['linux', 'musl'].map((libc) => join(`${libc}_${arch}`, 'koffi.node'))) {
    try {
      await copyFile(join(dirname(koffi), name, part), join(folder, 'koffi', part));
    } catch (cause) {
      if (!isErrno(cause, 'ENOENT')) throw cause;
      throw new MachineError(
        'deploy-failed',
        `The engine's native part ${name} is not installed. Run: npm install --no-save --force ${name}`,
        { cause },
      );
    }
  }
}

async function copyFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to);
}

async function listFiles(folder: string): Promise<ReleaseFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return await Promise.all(
    paths.sort().map(async (path) => {
      const content = await readFile(path);
      const sha256 = createHash('sha256').update(content).digest('hex');
      return { path: relative(folder, path).split(sep).join('/'), sha256, sizeBytes: content.length };
    }),
  );
}

async function fingerprints(checkout: string, inputs: readonly string[]): Promise<Inputs> {
  const found = await Promise.all(
    inputs.map(async (input) => {
      const { size, mtimeMs } = await stat(join(checkout, input));
      return [input, `${size} ${mtimeMs}`] as const;
    }),
  );
  return { builder: builderVersion, files: Object.fromEntries(found) };
}

/** Two renames: a reader in between finds nothing and builds its own, which ends the same. */
async function replaceFolder(made: string, folder: string): Promise<void> {
  const old = join(dirname(folder), `.${basename(folder)}.${randomUUID().slice(0, 8)}.old`);
  await mkdir(dirname(folder), { recursive: true });
  await rename(folder, old).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw error;
  });
  await rename(made, folder);
  await rm(old, { recursive: true, force: true });
}
