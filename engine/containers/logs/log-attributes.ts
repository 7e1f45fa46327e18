/** What of a container goes into its log records: labels, variables and a tag (source: docker's logging documents, "log tags"). */
import { invalid } from '../../model/errors.ts';
import type { Container } from '../container.ts';

const tagFields: Readonly<Record<string, (container: Container) => string>> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageName: ({ spec }) => spec.imageName,
  ImageID: ({ spec }) => spec.imageId.replace(/^sha256:/, '').slice(0, 12),
  ImageFullID: ({ spec }) => spec.imageId,
  DaemonName: () => 'docker',
  Command: ({ spec }) => [...spec.process.entrypoint, ...spec.process.command].join(' '),
  Hostname: ({ spec }) => spec.hostname,
};

const field = /\{\{\s*\.?([^}\s]*)\s*\}\}/g;

/** Throws `invalid` for a field that no container has. */
export function assertTagTemplate(template: string): void {
  for (const [, name = ''] of template.matchAll(field))
    if (!Object.hasOwn(tagFields, name))
      throw invalid(
        `template: log-tag: <.${name}>: there is no field ${name}: use ${Object.keys(tagFields).join(', ')}`,
      );
}

export function tagOf(container: Container, template: string): string {
  return template.replace(field, (_, name: string) => tagFields[name]?.(container) ?? '');
}

/** The labels and variables that are asked for and there. */
export function attributesOf({ spec }: Container): Readonly<Record<string, string>> {
  const { options } = spec.log;
  const variables = Object.fromEntries(
    spec.process.env.map((variable) => {
      const [name = '', value = ''] = variable.split(/=(.*)/s);
      return [name, value];
    }),
  );
  return {
    ...chosen(spec.labels, options['labels'], options['labels-regex']),
    ...chosen(variables, options['env'], options['env-regex']),
  };
}

function chosen(
  all: Readonly<Record<string, string>>,
  names: string | undefined,
  pattern: string | undefined,
): Readonly<Record<string, string>> {
  const wanted = new Set((names ?? '').split(','));
  const matcher = pattern === undefined || pattern === '' ? null : new RegExp(pattern);
  return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.has(name) || matcher?.test(name) === true));
}
