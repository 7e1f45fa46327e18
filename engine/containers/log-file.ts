import path from 'node:path';
import type { LogPlan } from '../logs/log-plan.ts';
import { invalid } from '../model/errors.ts';
import type { Container } from './container.ts';
import type { ContainerSpec } from './spec.ts';

/**
 * Logs are bounded unless the client says otherwise: dockerd's unbounded default fills disks (moby issue 40207). `-1` as
 * `max-size` takes the bound away, as it does there.
 */
const defaultMaxSizeBytes = 10 * 1024 * 1024;
const defaultMaxFiles = 3;

/** Below the container's folder, named as shippers of docker's logs expect it. */
export function logPath(folder: string, container: Container): string {
  return path.join(folder, `${container.id}-json.log`);
}

export function logPlan(container: Container, folder: string): LogPlan {
  const { driver, options } = container.spec.log;
  if (driver === 'none') return { driver };
  return { driver, path: logPath(folder, container), ...bounds(options) };
}

/** Throws `invalid` for options that are unknown or make no sense: to be asked at create, when somebody is there to read it. */
export function assertLogOptions(log: ContainerSpec['log']): void {
  const known =
    log.driver === 'none'
      ? []
      : [
          'max-size',
          'max-file',
          'compress',
          'labels',
          'labels-regex',
          'env',
          'env-regex',
          'tag',
          'mode',
          'max-buffer-size',
        ];
  for (const name of Object.keys(log.options)) {
    if (!known.includes(name)) throw invalid(`unknown log opt '${name}' for ${log.driver} log driver`);
  }
  bounds(log.options);
}

function bounds(options: Readonly<Record<string, string>>): { maxSizeBytes: number; maxFiles: number } {
  const size = options['max-size'];
  const files = options['max-file'];
  const maxFiles = files === undefined ? (size === undefined ? defaultMaxFiles : 1) : Number(files);
  if (!Number.isInteger(maxFiles) || maxFiles < 1) throw invalid(`max-file cannot be less than 1: ${files}`);
  return {
    maxFiles,
    maxSizeBytes: size === undefined ? defaultMaxSizeBytes : size === '-1' ? Number.MAX_SAFE_INTEGER : bytesOf(size),
  };
}

function bytesOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match?.[2] ?? '').toLowerCase());
  const bytes = Math.floor(Number(match?.[1] ?? 0) * 1024 ** power);
  if (match === null || bytes < 1) throw invalid(`invalid value "${text}" for max-size: expected a size like 10m`);
  return bytes;
}
