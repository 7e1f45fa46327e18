import { readFileSync } from 'node:fs';
import { checkContextName, ContextStore, defaultContext } from '../../contexts/store.ts';
import type { ContextDocument } from '../../contexts/store.ts';
import { csvFields, pairOf } from '../../container-spec/csv.ts';
import { checkHost } from '../../engine-door.ts';
import { flag } from '../../flags/flag.ts';
import { describeError, forEachName, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

const flags = {
  description: flag.text({ help: 'Description of the context' }),
  docker: flag.list({ help: 'set the engine endpoint: host=…,ca=…,cert=…,key=…,skip-tls-verify=…,from=…', placeholder: 'stringToString' }),
}; // prettier-ignore

export const create = defineVerb({
  usage: '[OPTIONS] CONTEXT',
  summary: 'Create a context',
  flags: { ...flags, from: flag.text({ help: 'create context from a named context', offers: 'context' }) },
  min: 1,
  max: 1,
  offers: ['nothing'],
  examples: [
    ['--docker host=unix:///run/docker.sock local', 'An engine on this computer'],
    ['--docker host=tcp://build.example.com:2376,ca=ca.pem,cert=cert.pem,key=key.pem builder', 'One elsewhere'],
  ],
  async run({ flags: { description, docker, from }, args: [name = ''], context }) {
    const store = new ContextStore(context.environment);
    checkContextName(name);
    if (store.find(name)) throw new CommandError(`context "${name}" already exists`);
    const endpoint = endpointOf(docker, store, context);
    const origin = from === undefined ? null : originOf(store, from, context);
    const document: ContextDocument = {
      Name: name,
      Metadata: { ...(description === undefined ? origin?.metadata : { Description: description }) },
      Endpoints: { docker: endpoint?.docker ?? origin?.docker ?? currentEndpoint(context) },
    };
    store.write(document, endpoint?.tls ?? origin?.tls ?? new Map());
    await writeLines(context.stdout, [name]);
    await writeLines(context.stderr, [`Successfully created context "${name}"`]);
    return 0;
  },
});

export const update = defineVerb({
  usage: '[OPTIONS] CONTEXT',
  summary: 'Update a context',
  flags,
  min: 1,
  max: 1,
  offers: ['context'],
  async run({ flags: { description, docker }, args: [name = ''], context }) {
    const store = new ContextStore(context.environment);
    checkContextName(name);
    const { document } = store.get(name);
    const endpoint = endpointOf(docker, store, context);
    const metadata = description === undefined ? document.Metadata : { ...document.Metadata, Description: description };
    const endpoints = endpoint === null ? document.Endpoints : { docker: endpoint.docker };
    store.write({ Name: name, Metadata: metadata, Endpoints: endpoints }, endpoint === null ? null : endpoint.tls);
    await writeLines(context.stdout, [name]);
    await writeLines(context.stderr, [`Successfully updated context "${name}"`]);
    return 0;
  },
});

export const rm = defineVerb({
  usage: 'CONTEXT [CONTEXT...]',
  summary: 'Remove one or more contexts',
  flags: { force: flag.switch({ short: 'f', help: 'Force the removal of a context in use' }) },
  min: 1,
  offers: ['context'],
  run: ({ flags: { force }, args, context }) => {
    const store = new ContextStore(context.environment);
    return forEachName(args, context, async (name) => {
      if (name === defaultContext) throw new CommandError('context "default" cannot be removed');
      const found = store.find(name);
      if (found === null && !force) throw new CommandError(`context "${name}" does not exist`);
      if (found?.machine && !force) {
        throw new CommandError(
          `context "${name}" is that of machine "${found.machine}", and goes with it; set -f flag to force remove`,
        );
      }
      if (store.current() === name) {
        if (!force) throw new CommandError(`context "${name}" is in use, set -f flag to force remove`);
        store.use(defaultContext);
      }
      store.remove(name);
    });
  },
});

type DockerEndpoint = NonNullable<ContextDocument['Endpoints']['docker']>;

interface Endpoint {
  readonly docker: DockerEndpoint;
  readonly tls: ReadonlyMap<string, Buffer>;
}

const keys = ['from', 'host', 'ca', 'cert', 'key', 'skip-tls-verify'];

/** What `--docker` describes; null when it is not given. */
function endpointOf(given: readonly string[], store: ContextStore, context: Context): Endpoint | null {
  if (given.length === 0) return null;
  const settings = new Map<string, string>();
  const own = 'unable to create docker endpoint config: ';
  for (const field of given.flatMap(csvFields)) {
    const { key, value } = pairOf(field);
    if (value === undefined) throw new CommandError(`${field} must be formatted as key=value`);
    if (!keys.includes(key)) throw new CommandError(`${own}unrecognized config key: ${key}`);
    settings.set(key, value);
  }
  const from = settings.get('from');
  if (from !== undefined) {
    const { docker, tls } = originOf(store, from, context);
    return { docker, tls };
  }
  const host = settings.get('host');
  if (host === undefined) throw new CommandError(`${own}--docker needs host=`);
  checkHost(host);
  const tls = new Map<string, Buffer>();
  for (const key of ['ca', 'cert', 'key']) {
    const path = settings.get(key);
    if (path !== undefined) tls.set(`${key}.pem`, readPem(path, own));
  }
  return { docker: { Host: host, SkipTLSVerify: settings.get('skip-tls-verify') === 'true' }, tls };
}

function readPem(path: string, own: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new CommandError(`${own}${describeError(error)}`, { cause: error });
  }
  if (!bytes.includes('-----BEGIN ')) throw new CommandError(`${own}${path} seems invalid: it is not PEM`);
  return bytes;
}

function originOf(
  store: ContextStore,
  name: string,
  context: Context,
): Endpoint & { readonly metadata: ContextDocument['Metadata'] } {
  if (name === defaultContext) return { docker: currentEndpoint(context), tls: new Map(), metadata: {} };
  const { description, host, skipsVerify, tlsFiles } = store.get(name);
  return {
    docker: { Host: host, SkipTLSVerify: skipsVerify },
    tls: new Map(tlsFiles.map((file) => [file, store.tlsFile(name, file)])),
    metadata: description === '' ? {} : { Description: description },
  };
}

function currentEndpoint(context: Context): DockerEndpoint {
  return { Host: context.engineHost, SkipTLSVerify: false };
}
