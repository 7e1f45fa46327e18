import { readFileSync } from 'node:fs';
import type { VersionAnswer } from '../../api/system.ts';
import { newestApiVersion } from '../../api/version.ts';
import { flag } from '../flags/flag.ts';
import { formatMemory } from '../formats/sizes.ts';
import { parseTemplate } from '../formats/template.ts';
import { describeError, writeLines } from '../report.ts';
import { defineVerb } from '../verb.ts';

/** The verbs that tell about Skiff and its engine. */

export function skiffVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}

const formatFlag = flag.text({ short: 'f', help: 'Format output: json, or a Go template' });

export const version = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Show the Skiff version information',
  flags: { format: formatFlag },
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

export const info = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  flags: { format: formatFlag },
  max: 0,
  async run({ flags, context }) {
    const about = await context.engine.info();
    if (flags.format !== undefined) {
      const text = flags.format === 'json' ? JSON.stringify(about) : parseTemplate(flags.format)(about);
      await writeLines(context.stdout, [text]);
      return 0;
    }
    await writeLines(context.stdout, [
      'Client: Skiff',
      ` Version:    ${skiffVersion()}`,
      '',
      'Server:',
      ` Containers: ${about.Containers}`,
      `  Running: ${about.ContainersRunning}`,
      `  Paused: ${about.ContainersPaused}`,
      `  Stopped: ${about.ContainersStopped}`,
      ` Images: ${about.Images}`,
      ` Server Version: ${about.ServerVersion}`,
      ` Storage Driver: ${about.Driver}`,
      ` Cgroup Version: ${about.CgroupVersion}`,
      ` Kernel Version: ${about.KernelVersion}`,
      ` Operating System: ${about.OperatingSystem}`,
      ` OSType: ${about.OSType}`,
      ` Architecture: ${about.Architecture}`,
      ` CPUs: ${about.NCPU}`,
      ` Total Memory: ${formatMemory(about.MemTotal)}`,
      ` Name: ${about.Name}`,
      ` ID: ${about.ID}`,
      ` Docker Root Dir: ${about.DockerRootDir}`,
    ]);
    await writeLines(
      context.stderr,
      (about.Warnings ?? []).map((warning) => `WARNING: ${warning}`),
    );
    return 0;
  },
});
