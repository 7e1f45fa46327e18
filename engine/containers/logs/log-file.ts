/** From a container's `--log-driver` and `--log-opt` to where its output goes. */
import path from 'node:path';
import type { LogFilePlan, LogPlan } from '../../logs/log-plan.ts';
import { readSyslogAddress, syslogFacility, syslogFormat } from '../../logs/syslog-options.ts';
import type { Container } from '../container.ts';
import { attributesOf, tagOf } from './log-attributes.ts';
import { cacheBounds, fileBounds } from './log-options.ts';

export { assertLogOptions } from './log-options.ts';

/** Below the container's folder, named as shippers of docker's logs expect it. */
export function logPath(folder: string, container: Container): string {
  return path.join(folder, `${container.id}-json.log`);
}

export function logPlan(container: Container, folder: string): LogPlan {
  const { driver, options } = container.spec.log;
  const tag = options['tag'] ?? '';
  switch (driver) {
    case 'none':
      return { driver };
    case 'json-file':
      return {
        driver,
        path: logPath(folder, container),
        ...fileBounds(driver, options),
        attributes: { ...attributesOf(container), ...(tag === '' ? {} : { tag: tagOf(container, tag) }) },
      };
    case 'local':
      return { driver, path: localPath(folder, container), ...fileBounds(driver, options) };
    case 'syslog':
      return {
        driver,
        target: readSyslogAddress(options['syslog-address'] ?? ''),
        format: syslogFormat(options['syslog-format'] ?? ''),
        facility: syslogFacility(options['syslog-facility'] ?? ''),
        tag: tagOf(container, tag === '' ? '{{.ID}}' : tag),
        cache: cachePlan(container, folder),
      };
    case 'journald':
      return { driver, fields: journalFields(container, tag), cache: cachePlan(container, folder) };
  }
}

function localPath(folder: string, container: Container): string {
  return path.join(folder, `${container.id}-local.log`);
}

/** What is sent away is kept here as well, so that `logs` can read it (docker's "dual logging"). */
function cachePlan(container: Container, folder: string): LogFilePlan | null {
  const bounds = cacheBounds(container.spec.log.options);
  if (bounds === null) return null;
  return { driver: 'local', path: localPath(folder, container), ...bounds, attributes: attributesOf(container) };
}

/** Source: docker's document of the journald driver. */
function journalFields(container: Container, tag: string): Readonly<Record<string, string>> {
  const shown = tagOf(container, tag === '' ? '{{.ID}}' : tag);
  const more = Object.entries(attributesOf(container)).map(([name, value]) => [journalName(name), value] as const);
  return {
    ...Object.fromEntries(more.filter(([name]) => name !== '')),
    CONTAINER_ID: container.id.slice(0, 12),
    CONTAINER_ID_FULL: container.id,
    CONTAINER_NAME: container.name,
    CONTAINER_TAG: shown,
    IMAGE_NAME: container.spec.imageName,
    SYSLOG_IDENTIFIER: shown,
  };
}

/** The journal takes capitals, digits and underscores, and no underscore at the beginning. */
function journalName(name: string): string {
  return name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .replace(/^[_0-9]+/, '');
}
