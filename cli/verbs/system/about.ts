import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { VersionAnswer } from '../../../api/system.ts';
import { newestApiVersion } from '../../../api/version.ts';
import { flag } from '../../flags/flag.ts';
import { parseTemplate } from '../../formats/template/template.ts';
import { describeError, writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

/** Put in by the bundler; the sources read their manifest. */
declare const SKIFF_VERSION: string | undefined;

export function skiffVersion(): string {
  if (typeof SKIFF_VERSION === 'string') return SKIFF_VERSION;
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

export const version = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Show the Skiff version information',
  flags: { format: flag.text({ short: 'f', help: "Format output: 'json', or a Go template" }) },
  max: 0,
  async run({ flags, context }) {
    let server: VersionAnswer | null = null;
    let failure: unknown = null;
    let apiVersion = newestApiVersion;
    try {
      server = await context.engine.version();
      apiVersion = await context.engine.apiVersion();
    } catch (error) {
      failure = error;
    }
    const client = {
      Version: skiffVersion(),
      ApiVersion: apiVersion,
      NodeVersion: process.versions.node,
      Os: context.platform,
      Arch: process.arch,
    };
    const whole = { Client: client, Server: server };
    if (flags.format === undefined) {
      await writeLines(context.stdout, ['Client: Skiff', ...fields(client), ...(server ? serverLines(server) : [])]);
    } else {
      const text = flags.format === 'json' ? JSON.stringify(whole) : parseTemplate(flags.format)(whole);
      await writeLines(context.stdout, [text]);
    }
    if (failure === null) return 0;
    await writeLines(context.stderr, [describeError(failure)]);
    return 1;
  },
});

function fields(values: object): string[] {
  return Object.entries(values).map(([key, value]) => ` ${`${spaced(key)}:`.padEnd(18)} ${String(value)}`);
}

function serverLines(server: VersionAnswer): string[] {
  const { Version, ApiVersion, MinAPIVersion, GitCommit, Os, Arch, KernelVersion, BuildTime } = server;
  const rows = { Version, ApiVersion: `${ApiVersion} (minimum version ${MinAPIVersion})`, GitCommit, Built: BuildTime, 'OS/Arch': `${Os}/${Arch}`, KernelVersion }; // prettier-ignore
  const components = server.Components.filter(({ Name }) => Name !== 'Engine');
  return ['', `Server: ${server.Platform.Name}`, ' Engine:', ...fields(rows).map((line) => ` ${line}`), ...components.flatMap(({ Name, Version }) => [` ${Name}:`, `  ${'Version:'.padEnd(18)} ${Version}`])]; // prettier-ignore
}

/** `ApiVersion` -> `Api version`. */
function spaced(name: string): string {
  return name.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
