import { existsSync, readFileSync } from 'node:fs';
import { tcpDialer, unixSocketDialer } from '../client/dial.ts';
import type { Dial, TlsMaterial } from '../client/dial.ts';
import { EngineUnreachable, messageOf } from '../client/errors.ts';
import { machinePaths, skiffHome } from '../provisioners/store/home.ts';
import { parseMachineName } from '../provisioners/store/machine-name.ts';
import { ContextStore, defaultContext } from './contexts/store.ts';
import { CommandError } from './usage-error.ts';

/** Which engine is meant. A host that is given names a socket; a machine has one that its host agent serves while it runs. */
export type EngineChoice =
  | { readonly kind: 'host'; readonly host: string; readonly context: string | null }
  | { readonly kind: 'machine'; readonly name: string; readonly context: string | null };

export interface Globals {
  readonly host: string | undefined;
  readonly machine: string | undefined;
  readonly context: string | undefined;
  readonly tls: boolean;
  readonly tlsverify: boolean;
  readonly tlscacert: string | undefined;
  readonly tlscert: string | undefined;
  readonly tlskey: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * `--host`, `--context` or `--machine` as they stand, else `SKIFF_HOST`, `SKIFF_CONTEXT`, `SKIFF_MACHINE`, else the context of `skiff
 * context use`, else the machine `default`. `DOCKER_HOST` is not looked at: it often names another engine, and a command that stops the
 * wrong container is worse than one that is typed longer.
 */
export function chooseEngine(globals: Globals, environment: Environment): EngineChoice {
  const given = (['host', 'context', 'machine'] as const).filter((key) => globals[key] !== undefined);
  if (given.length > 1) throw new CommandError(`conflicting options: cannot specify both --${given.join(' and --')}`);
  if (globals.host !== undefined) return { kind: 'host', host: globals.host, context: null };
  if (globals.context !== undefined) return choiceOf(globals.context, environment);
  if (globals.machine !== undefined) return { kind: 'machine', name: globals.machine, context: null };
  const { SKIFF_HOST: host, SKIFF_CONTEXT: context, SKIFF_MACHINE: machine } = environment;
  if (host) return { kind: 'host', host, context: null };
  if (context) return choiceOf(context, environment);
  if (machine) return { kind: 'machine', name: machine, context: null };
  return choiceOf(new ContextStore(environment).current(), environment);
}

function choiceOf(name: string, environment: Environment): EngineChoice {
  if (name === defaultContext) return { kind: 'machine', name: 'default', context: name };
  const found = new ContextStore(environment).find(name);
  // `context ls` and `context use` must work also when the current one is gone: it is missed when the engine is wanted.
  if (found === null) return { kind: 'host', host: '', context: name };
  return found.machine === null
    ? { kind: 'host', host: found.host, context: name }
    : { kind: 'machine', name: found.machine, context: name };
}

/** Where the engine of a choice listens, as docker writes it. */
export function hostOf(choice: EngineChoice, environment: Environment): string {
  return choice.kind === 'host' ? choice.host : machineHost(choice.name, environment);
}

export function machineHost(name: string, environment: Environment): string {
  const { dockerSocket } = machinePaths(skiffHome({ environment }), parseMachineName(name));
  return dockerSocket.startsWith('\\\\') ? `npipe://${dockerSocket.replaceAll('\\', '/')}` : `unix://${dockerSocket}`;
}

/** Opens connections to the engine that is meant; when there is none, says what to do about it. Loads nothing of the machines' code. */
export function engineDialer(choice: EngineChoice, globals: Globals, environment: Environment): Dial {
  if (choice.kind === 'host') {
    if (choice.host === '' && choice.context !== null) return missingContext(choice.context, environment);
    const dial = dialerOf(choice, globals, environment);
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

function missingContext(name: string, environment: Environment): Dial {
  return () => {
    new ContextStore(environment).get(name);
    throw new CommandError(
      `context "${name}" names no engine. Say where it is: skiff context update --docker host=… ${name}`,
    );
  };
}

/** Throws CommandError for a host that cannot be dialed. */
export function checkHost(host: string): void {
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(host) ?? [];
  if (scheme === 'unix' && rest.startsWith('/')) return;
  if (scheme === 'npipe' && rest !== '') return;
  if (scheme === 'tcp' && addressOf(rest) !== null) return;
  if (scheme === 'ssh' || scheme === 'http' || scheme === 'https' || scheme === 'fd') {
    throw new CommandError(`--host ${host}: only unix://, npipe:// and tcp:// are supported`);
  }
  throw new CommandError(`invalid host ${JSON.stringify(host)}: use unix:///path/to/socket or tcp://host:port`);
}

function dialerOf(choice: EngineChoice & { readonly kind: 'host' }, globals: Globals, environment: Environment): Dial {
  checkHost(choice.host);
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/s.exec(choice.host) ?? [];
  if (scheme === 'unix') return unixSocketDialer(rest);
  if (scheme === 'npipe') return unixSocketDialer(rest.replaceAll('/', '\\'));
  const tls = choice.context === null ? tlsOfFlags(globals) : tlsOfContext(choice.context, environment);
  const address = addressOf(rest) ?? { host: rest, port: 0 };
  return tcpDialer({ host: address.host, port: address.port ?? (tls === null ? 2375 : 2376) }, tls);
}

/** `host:port`, `[::1]:port`; without a port it is docker's. Null when it is neither. */
function addressOf(text: string): { readonly host: string; readonly port: number | null } | null {
  const [, six, plain = '', port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\/?$/.exec(text) ?? [];
  const host = six ?? plain;
  return host === '' ? null : { host, port: port === undefined ? null : Number(port) };
}

function tlsOfFlags({ tls, tlsverify, tlscacert, tlscert, tlskey }: Globals): TlsMaterial | null {
  if (!tls && !tlsverify && tlscacert === undefined && tlscert === undefined) return null;
  return {
    ...(tlscacert === undefined ? {} : { ca: readFileSync(tlscacert) }),
    ...(tlscert === undefined ? {} : { cert: readFileSync(tlscert) }),
    ...(tlskey === undefined ? {} : { key: readFileSync(tlskey) }),
    isUnverified: tls && !tlsverify && tlscacert === undefined,
  };
}

function tlsOfContext(name: string, environment: Environment): TlsMaterial | null {
  const store = new ContextStore(environment);
  const { tlsFiles, skipsVerify } = store.get(name);
  if (tlsFiles.length === 0 && !skipsVerify) return null;
  const file = (key: 'ca' | 'cert' | 'key'): object =>
    tlsFiles.includes(`${key}.pem`) ? { [key]: store.tlsFile(name, `${key}.pem`) } : {};
  return { ...file('ca'), ...file('cert'), ...file('key'), isUnverified: skipsVerify };
}

function explained(dial: Dial, say: (cause: string) => string): Dial {
  return async (signal) => {
    try {
      return await dial(signal);
    } catch (error) {
      if (signal?.aborted || error instanceof CommandError) throw error;
      throw new EngineUnreachable('connect', say(messageOf(error)), { cause: error });
    }
  };
}
