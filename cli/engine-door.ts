import { existsSync } from 'node:fs';
import { unixSocketDialer } from '../client/dial.ts';
import type { Dial } from '../client/dial.ts';
import { EngineUnreachable, messageOf } from '../client/errors.ts';
import { machinePaths, skiffHome } from '../provisioners/store/home.ts';
import { parseMachineName } from '../provisioners/store/machine-name.ts';
import { CommandError } from './usage-error.ts';

/** Which engine is meant. A host that is given names a socket; a machine has one that its host agent serves while it runs. */
export type EngineChoice =
  { readonly kind: 'host'; readonly host: string } | { readonly kind: 'machine'; readonly name: string };

export interface Globals {
  readonly host: string | undefined;
  readonly machine: string | undefined;
}

/**
 * `--host` or `--machine` as they stand, else `SKIFF_HOST`, else `SKIFF_MACHINE`, else the machine `default`. `DOCKER_HOST` is
 * not looked at: it often names another engine, and a command that stops the wrong container is worse than one that is typed longer.
 */
export function chooseEngine(
  globals: Globals,
  environment: Readonly<Record<string, string | undefined>>,
): EngineChoice {
  if (globals.host !== undefined && globals.machine !== undefined) {
    throw new CommandError('conflicting options: cannot specify both --host and --machine');
  }
  if (globals.host !== undefined) return { kind: 'host', host: globals.host };
  if (globals.machine !== undefined) return { kind: 'machine', name: globals.machine };
  const host = environment['SKIFF_HOST'];
  if (host) return { kind: 'host', host };
  return { kind: 'machine', name: environment['SKIFF_MACHINE'] || 'default' };
}

/** Opens connections to the engine that is meant; when there is none, says what to do about it. Loads nothing of the machines' code. */
export function engineDialer(choice: EngineChoice, environment: Readonly<Record<string, string | undefined>>): Dial {
  if (choice.kind === 'host') {
    const dial = unixSocketDialer(socketOf(choice.host));
    return explained(dial, (cause) => `cannot connect to the engine at ${choice.host}: ${cause}. Is it running?`);
  }
  const name = parseMachineName(choice.name);
  const paths = machinePaths(skiffHome({ environment }), name);
  return explained(unixSocketDialer(paths.dockerSocket), () =>
    existsSync(paths.document)
      ? `machine "${name}" is not running. Start it with: skiff machine start ${name}`
      : `there is no machine "${name}". Make it with: skiff machine create ${name}`,
  );
}

/** `unix:///path` or `npipe:////./pipe/name`, as docker writes them. */
function socketOf(host: string): string {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(host) ?? [];
  if (scheme === 'unix' && rest.startsWith('/')) return rest;
  if (scheme === 'npipe' && rest !== '') return rest.replaceAll('/', '\\');
  if (scheme === 'tcp' || scheme === 'ssh' || scheme === 'http' || scheme === 'https') {
    throw new CommandError(`--host ${host}: only unix:// and npipe:// are supported yet`);
  }
  throw new CommandError(`invalid host ${JSON.stringify(host)}: use unix:///path/to/socket`);
}

function explained(dial: Dial, say: (cause: string) => string): Dial {
  return async (signal) => {
    try {
      return await dial(signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new EngineUnreachable('connect', say(messageOf(error)), { cause: error });
    }
  };
}
