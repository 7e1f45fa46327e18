import { familiarImageName, familiarRepository, withDefaultTag } from '../../../api/image-names.ts';
import type { ImageName } from '../../../api/image-names.ts';
import type { RegistryAuth } from '../../../api/registries.ts';
import { EngineError } from '../../../client/errors.ts';
import type { RemoteManifest } from '../../../client/registries.ts';
import { loginFor } from '../../login-for.ts';
import { flag } from '../../flags/flag.ts';
import { indentJson } from '../../formats/json-text.ts';
import { imageNameOf } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { isForeign, ofSkiffEngine } from '../../skiff-engine.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

interface Platform {
  readonly architecture: string;
  readonly os: string;
}

/** What `--verbose` prints of a manifest, in docker's words. */
interface Described {
  readonly Ref: string;
  readonly Descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number; readonly platform?: Platform };
  readonly Raw: string;
  readonly SchemaV2Manifest?: unknown;
  readonly OCIManifest?: unknown;
} // prettier-ignore

const indexTypes = /manifest\.list\.v2|image\.index\.v1/;

export const inspect = defineVerb({
  usage: '[OPTIONS] MANIFEST',
  summary: 'Display an image manifest, or manifest list',
  details: 'It is asked for by the engine, with its mirrors, certificates and proxies, and with your login.',
  flags: { verbose: flag.switch({ short: 'v', help: 'Output additional info including layers and platform' }) },
  min: 1,
  max: 1,
  offers: ['image'],
  missing: ['insecure'],
  async run({ flags: { verbose }, args: [text = ''], context }) {
    const name = withDefaultTag(imageNameOf(text));
    const auth = await loginFor(context, name.domain);
    const shownName = familiarImageName(name);
    const found = await fetched(name, shownName, auth, context);
    if (!verbose) {
      await writeLines(context.stdout, [indentJson(found.text, '\t')]);
      return 0;
    }
    const shown = indexTypes.test(found.mediaType)
      ? await describeAll(found, { name, auth, context })
      : describe(found, shownName, await platformOf(text, auth, context));
    await writeLines(context.stdout, [JSON.stringify(shown, null, '\t')]);
    return 0;
  },
});

async function fetched(
  name: ImageName,
  text: string,
  auth: RegistryAuth | null,
  context: Context,
): Promise<RemoteManifest> {
  const { domain, path, tag, digest } = name;
  const image = `${domain}/${path}${digest === null ? `:${tag ?? 'latest'}` : `@${digest}`}`;
  try {
    return await ofSkiffEngine('manifest inspect', context.engine.registries.manifest(image, { auth }));
  } catch (error) {
    const isMissing = error instanceof EngineError && error.statusCode === 404 && !isForeign(error);
    throw isMissing ? new CommandError(`no such manifest: ${text}`, { cause: error }) : error;
  }
}

async function platformOf(text: string, auth: RegistryAuth | null, context: Context): Promise<Platform | undefined> {
  const { Platforms } = await context.engine.registries.distribution(text, { auth });
  const [first] = Platforms;
  return first && { architecture: first.architecture, os: first.os };
}

async function describeAll(
  index: RemoteManifest,
  { name, auth, context }: { readonly name: ImageName; readonly auth: RegistryAuth | null; readonly context: Context },
): Promise<readonly Described[]> {
  const entries: Described[] = [];
  for (const { digest, platform } of entriesOf(index)) {
    const one = { ...name, tag: null, digest };
    const ref = `${familiarRepository(name)}@${digest}`;
    entries.push(describe(await fetched(one, ref, auth, context), ref, platform));
  }
  return entries;
}

function entriesOf(index: RemoteManifest): readonly { readonly digest: string; readonly platform?: Platform }[] {
  const { manifests } = JSON.parse(index.text) as { readonly manifests?: unknown };
  if (!Array.isArray(manifests)) throw new CommandError('the registry gave an index without manifests');
  return manifests.map((entry: unknown) => {
    const { digest, platform } = entry as { readonly digest?: unknown; readonly platform?: Platform };
    if (typeof digest !== 'string')
      throw new CommandError('the registry gave an index with an entry that has no digest');
    return platform === undefined ? { digest } : { digest, platform };
  });
}

function describe({ mediaType, digest, text }: RemoteManifest, ref: string, platform: Platform | undefined): Described {
  const document: unknown = JSON.parse(text);
  const isOfDocker = mediaType.startsWith('application/vnd.docker.');
  return {
    Ref: ref,
    Descriptor: { mediaType, digest, size: Buffer.byteLength(text), ...(platform === undefined ? {} : { platform }) },
    Raw: Buffer.from(text, 'utf8').toString('base64'),
    ...(isOfDocker ? { SchemaV2Manifest: document } : { OCIManifest: document }),
  };
}
