import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, ftruncateSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlayedCall, PlayedOutcome } from '../played-command.ts';
import { isAlive } from '../played-record.ts';
import type { PlayedDistribution, PlayedWsl2Host } from './host.ts';
import { diskOf, seedOf } from './host.ts';
import { importSystem, runCommand } from './real-system.ts';

/**
 * A played wsl.exe 2, written from Microsoft's reference: it keeps distributions, refuses what the real one refuses with its codes, writes
 * UTF-16 in another language, and knows of the commands in a distribution those that a machine's system brings.
 */
class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

type Verb = (host: PlayedWsl2Host, args: readonly string[], input: Buffer) => string | Promise<string>;

const done = 'Der Vorgang wurde erfolgreich beendet.';

const verbs: Readonly<Record<string, Verb>> = {
  '--version': () => 'WSL-Version: 2.3.26.0\r\nKernelversion: 5.15.167.4-1',

  '--list': (host, args) => {
    const options = args.join(' ');
    if (options !== '--quiet' && options !== '--quiet --running') throw usage(options);
    const all = host.all();
    if (all.length === 0)
      throw new Refusal('Wsl/WSL_E_DEFAULT_DISTRO_NOT_FOUND', 'Es sind keine Distributionen installiert.');
    const shown = all.filter(({ pid }) => options === '--quiet' || pid !== null);
    // It has no code for that.
    if (shown.length === 0) throw new Refusal('', 'Es werden keine Distributionen ausgeführt.');
    return shown.map(({ id }) => id).join('\r\n');
  },

  '--import': (host, [name = '', folder = '', file = '', ...options]) => {
    if (host.find(name) !== null)
      throw new Refusal(
        'Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS',
        'Eine Distribution dieses Namens ist vorhanden.',
      );
    if (!existsSync(file)) throw new Refusal('Wsl/ERROR_FILE_NOT_FOUND', 'Das System kann die Datei nicht finden.');
    mkdirSync(folder, { recursive: true });
    const made: PlayedDistribution = { id: name, folder, pid: null };
    const disk = diskOf(made);
    if (options.join(' ') === '--vhd') execFileSync('qemu-img', ['convert', '-f', 'vhdx', '-O', 'raw', file, disk]);
    else if (options.join(' ') === '--version 2') {
      const members = execFileSync('tar', ['-tf', file], { encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 }).split('\n');
      if (!members.includes('usr/lib/skiff/wsl-machine'))
        throw new Refusal('Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED', 'Das ist kein System.');
      if (host.system === 'real') importSystem(made, file);
      const opened = openSync(disk, 'wx');
      ftruncateSync(opened, 1024 ** 2);
      closeSync(opened);
    } else throw usage(options.join(' '));
    host.put(made);
    return done;
  },

  '--export': async (host, [name = '', file = '', ...options]) => {
    if (options.join(' ') !== '--vhd') throw usage(options.join(' '));
    const known = find(host, name);
    if (known.pid !== null)
      throw new Refusal('Wsl/Service/ERROR_SHARING_VIOLATION', 'Die Datei wird von einem anderen Prozess verwendet.');
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'vhdx', diskOf(known), file]);
    return await Promise.resolve(done);
  },

  '--terminate': async (host, [name = '']) => {
    await end(find(host, name));
    return done;
  },

  '--unregister': async (host, [name = '']) => {
    const known = find(host, name);
    await end(known);
    rmSync(known.folder, { recursive: true, force: true });
    host.remove(known);
    return done;
  },

  '--distribution': (host, [name = '', ...args], input) => {
    const [user, root, cd, slash, exec, command = '', ...rest] = args;
    if ([user, root, cd, slash, exec].join(' ') !== '--user root --cd / --exec') throw usage(args.join(' '));
    const known = find(host, name);
    if (host.system === 'real') return runCommand(known, [command, ...rest], input);
    // A machine that runs is a process of its own: machine.ts.
    switch ([command, ...rest].join(' ')) {
      case '/usr/lib/skiff/wsl-seed':
        writeFileSync(seedOf(known), input, { mode: 0o600 });
        return '';
      case '/usr/bin/tar -xpf - -C /':
        execFileSync('tar', ['-tf', '-'], { input, maxBuffer: 64 * 1024 ** 2 });
        return '';
      case '/usr/lib/skiff/engine-stop':
        return '';
      default:
        throw new Refusal('', `/bin/${command}: not found`);
    }
  },
};

function usage(options: string): Refusal {
  return new Refusal('Wsl/E_INVALIDARG', `Ungültiges Befehlszeilenargument: ${options}`);
}

function find(host: PlayedWsl2Host, name: string): PlayedDistribution {
  const known = host.find(name);
  if (known !== null) return known;
  throw new Refusal(
    'Wsl/Service/WSL_E_DISTRO_NOT_FOUND',
    'Es ist keine Distribution mit dem angegebenen Namen vorhanden.',
  );
}

/** Its processes end at once; what they wrote stays, as on any disk. */
async function end({ pid }: PlayedDistribution): Promise<void> {
  if (pid === null) return;
  process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + 20_000;
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`process ${pid} does not end`);
    await delay(10);
  }
}

function spoken(text: string): Buffer {
  return Buffer.from(text === '' ? '' : `${text}\r\n`, 'utf16le');
}

export async function playWsl(
  { words: [name = '', ...args], input }: PlayedCall,
  { host }: { readonly host: PlayedWsl2Host },
): Promise<PlayedOutcome> {
  const fault = host.faults.take(name);
  try {
    if (fault === 'killed-before') return 'dies';
    if (fault === 'no-virtualisation')
      throw new Refusal(
        'Wsl/Service/RegisterDistro/CreateVm/HCS/HCS_E_HYPERV_NOT_INSTALLED',
        'WSL2 kann nicht gestartet werden.',
      );
    if (fault === 'no-space')
      throw new Refusal('Wsl/Service/RegisterDistro/ERROR_DISK_FULL', 'Nicht genügend Speicherplatz.');
    const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (verb === undefined) throw usage(name);
    const said = await verb(host, args, input);
    return fault === 'killed-after' ? 'dies' : { exitCode: 0, stdout: spoken(said) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const text = error.code === '' ? error.message : `${error.message}\r\nFehlercode: ${error.code}`;
    return { exitCode: 255, stdout: spoken(text) };
  }
}
