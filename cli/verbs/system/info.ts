import { compactJson } from '../../formats/json-text.ts';
import { flag } from '../../flags/flag.ts';
import { formatMemory } from '../../formats/sizes.ts';
import { parseTemplate } from '../../formats/template/template.ts';
import { isRecord } from '../../formats/template/values.ts';
import { describeError, writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { skiffVersion } from './about.ts';

export const info = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Display system-wide information',
  flags: { format: flag.text({ short: 'f', help: "Format output: 'json', or a Go template" }) },
  max: 0,
  async run({ flags: { format }, context }) {
    let text = '{}';
    const errors: string[] = [];
    try {
      text = await context.engine.infoText();
    } catch (error) {
      errors.push(describeError(error));
    }
    const about: unknown = JSON.parse(text);
    if (format === undefined) await writeInfo(about, errors, context);
    else {
      const client = {
        ClientInfo: { Debug: false, Context: context.contextName, Plugins: [], Version: skiffVersion() },
      };
      const whole = {
        ...(isRecord(about) ? about : {}),
        ...(errors.length > 0 ? { ServerErrors: errors } : {}),
        ...client,
      };
      await writeLines(context.stdout, [
        format === 'json' ? compactJson(JSON.stringify(whole)) : parseTemplate(format)({ ServerErrors: [], ...whole }),
      ]);
      await writeLines(context.stderr, errors);
    }
    return errors.length > 0 ? 1 : 0;
  },
});

async function writeInfo(about: unknown, errors: readonly string[], context: Context): Promise<void> {
  await writeLines(context.stdout, [
    'Client: Skiff',
    ` Version:    ${skiffVersion()}`,
    ` Context:    ${context.contextName}`,
    ' Debug Mode: false',
    '',
    'Server:',
    ...(isRecord(about) && errors.length === 0 ? serverLines(about) : []),
    '',
  ]);
  const warnings = isRecord(about) && Array.isArray(about['Warnings']) ? about['Warnings'].map(String) : [];
  await writeLines(
    context.stderr,
    errors.length > 0 ? [`ERROR: ${errors.join('\n')}`, 'errors pretty printing info'] : warnings,
  );
}

type Facts = Readonly<Record<string, unknown>>;

function serverLines(about: Facts): string[] {
  const pairs = Array.isArray(about['DriverStatus']) ? about['DriverStatus'].filter(Array.isArray) : [];
  const swarm = isRecord(about['Swarm']) ? about['Swarm']['LocalNodeState'] : undefined;
  return [
    ...line(' Containers', about['Containers']),
    ...line('  Running', about['ContainersRunning']),
    ...line('  Paused', about['ContainersPaused']),
    ...line('  Stopped', about['ContainersStopped']),
    ...line(' Images', about['Images']),
    ...line(' Server Version', about['ServerVersion']),
    ...line(' Storage Driver', about['Driver']),
    ...pairs.map(([key, value]) => `  ${String(key)}: ${String(value)}`),
    ...line(' Logging Driver', about['LoggingDriver']),
    ...line(' Cgroup Driver', about['CgroupDriver']),
    ...line(' Cgroup Version', about['CgroupVersion']),
    ...pluginLines(about['Plugins']),
    ...line(' Swarm', swarm),
    ...(isRecord(about['Runtimes']) ? line(' Runtimes', Object.keys(about['Runtimes']).sort().join(' ')) : []),
    ...line(' Default Runtime', about['DefaultRuntime']),
    ...line(' Init Binary', about['InitBinary']),
    ...securityLines(about['SecurityOptions']),
    ...line(' Kernel Version', about['KernelVersion']),
    ...line(' Operating System', about['OperatingSystem']),
    ...line(' OSType', about['OSType']),
    ...line(' Architecture', about['Architecture']),
    ...line(' CPUs', about['NCPU']),
    ...line(' Total Memory', typeof about['MemTotal'] === 'number' ? formatMemory(about['MemTotal']) : undefined),
    ...line(' Name', about['Name']),
    ...line(' ID', about['ID']),
    ...line(' Docker Root Dir', about['DockerRootDir']),
    ...line(' Debug Mode', about['Debug']),
    ...line(' Experimental', about['ExperimentalBuild']),
    ...line(' Live Restore Enabled', about['LiveRestoreEnabled']),
  ];
}

function line(title: string, value: unknown): string[] {
  return value === undefined || value === null || value === '' ? [] : [`${title}: ${String(value)}`];
}

function pluginLines(plugins: unknown): string[] {
  if (!isRecord(plugins)) return [];
  const lists = ['Volume', 'Network', 'Authorization', 'Log'].flatMap((kind) => {
    const names = plugins[kind];
    return Array.isArray(names) && names.length > 0 ? [`  ${kind}: ${names.map(String).join(' ')}`] : [];
  });
  return lists.length > 0 ? [' Plugins:', ...lists] : [];
}

/** `name=seccomp,profile=builtin` on two lines. */
function securityLines(options: unknown): string[] {
  if (!Array.isArray(options) || options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const parts = String(option)
      .split(',')
      .map((part) => part.split('='));
    const name = parts.find(([key]) => key === 'name')?.[1] ?? String(option);
    const others = parts.filter(([key]) => key !== 'name');
    return [
      `  ${name}`,
      ...others.map(([key = '', value = '']) => `   ${key.slice(0, 1).toUpperCase()}${key.slice(1)}: ${value}`),
    ];
  });
  return [' Security Options:', ...lines];
}
