import type { ContainerConfig } from '../../../api/containers.ts';
import { commitContainer } from '../../containers/files/commit.ts';
import type { Parts } from '../../containers/parts.ts';
import type { ContainerSpec } from '../../containers/spec/spec.ts';
import { invalid } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { applyChange, type ImageWords } from '../../images/config-changes.ts';
import { presentConfig } from './inspect/config.ts';

export function commitRoute(parts: Parts): Route {
  return { method: 'POST', path: '/commit', handle: (exchange) => commit(parts, exchange) };
}

async function commit(parts: Parts, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const reference = query.get('container') ?? '';
  if (reference === '') throw invalid('invalid name or ID supplied: ""');
  const container = parts.directory.find(reference);
  const config = imageConfig(container.spec);
  const given = await bodyOrNothing(exchange);
  for (const [field, value] of Object.entries(given))
    if (imageFields.includes(field) && isGiven(value)) config[field] = value;
  for (const line of query.getAll('changes').flatMap((lines) => lines.split('\n')))
    if (line.trim() !== '') applyChange(config, line);
  const [repository, tag] = [query.get('repo') ?? '', query.get('tag') ?? ''];
  const image = await commitContainer(parts, container, {
    name: repository === '' ? null : tag === '' ? repository : `${repository}:${tag}`,
    comment: query.get('comment') ?? '',
    author: query.get('author') ?? '',
    isPaused: query.get('pause') === null || exchange.flag('pause'),
    config,
    containerConfig: { ...presentConfig(container.spec) },
    signal: exchange.signal,
  });
  exchange.json(201, { Id: image.id });
}

/** What of a container's config an image has too. */
const imageFields: readonly string[] = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'Healthcheck',
  'OnBuild',
  'Shell',
] satisfies readonly (keyof ContainerConfig)[];

function imageConfig(spec: ContainerSpec): ImageWords {
  return Object.fromEntries(
    Object.entries(presentConfig(spec)).filter(([field, value]) => imageFields.includes(field) && isGiven(value)),
  );
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}

/** The docker CLI sends `null`, others nothing. */
async function bodyOrNothing(exchange: Exchange): Promise<Record<string, unknown>> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = exchange.request.headers;
  return length === '0' && encoding === undefined ? {} : await exchange.body();
}
