import { existsSync, readdirSync } from 'node:fs';
import type { EngineClient } from '../../client/engine-client.ts';
import { homePaths, skiffHome } from '../../provisioners/store/home.ts';
import { ContextStore, defaultContext } from '../contexts/store.ts';
import { Credentials } from '../../logins/credentials.ts';
import type { Offer } from '../flags/flag.ts';

/** A word that fits, and what it is. */
export interface Candidate {
  readonly value: string;
  readonly about: string;
}

/** The words that stand for an offer now. */
export async function offered(
  offer: Exclude<Offer, 'file'>,
  from: {
    readonly engine: EngineClient;
    readonly environment: Readonly<Record<string, string | undefined>>;
    /** Arguments of the verb that are there already. */
    readonly args: readonly string[];
  },
): Promise<readonly Candidate[]> {
  const { engine, environment, args } = from;
  switch (offer) {
    case 'container':
      return containers(engine, () => true);
    case 'running-container':
      return containers(engine, (state) => state === 'running' || state === 'paused');
    case 'stopped-container':
      return containers(engine, (state) => state !== 'running');
    case 'image': {
      const tags = (await engine.images.list()).flatMap(({ RepoTags }) => RepoTags ?? []);
      return tags
        .filter((tag) => !tag.includes('<none>'))
        .map((value) => ({ value: value.replace(/:latest$/, ''), about: '' }));
    }
    case 'network':
      return (await engine.networks.list()).map(({ Name, Driver }) => ({ value: Name, about: Driver }));
    case 'volume':
      return ((await engine.volumes.list()).Volumes ?? []).map(({ Name }) => ({ value: Name, about: '' }));
    case 'context':
      return [
        { value: defaultContext, about: 'Machine "default"' },
        ...new ContextStore(environment).list().map(({ name, description }) => ({ value: name, about: description })),
      ];
    case 'machine': {
      const { machines } = homePaths(skiffHome({ environment }));
      return existsSync(machines) ? readdirSync(machines).map((value) => ({ value, about: '' })) : [];
    }
    case 'registry':
      return new Credentials(environment, process.platform).servers().map((value) => ({ value, about: '' }));
    case 'snapshot': {
      const [container = ''] = args;
      const all = await engine.skiff.snapshots.list(container);
      return all.map(({ name, comment }) => ({ value: name, about: comment }));
    }
    case 'nothing':
      return [];
    default:
      return offer.map((value) => ({ value, about: '' }));
  }
}

async function containers(engine: EngineClient, isWanted: (state: string) => boolean): Promise<readonly Candidate[]> {
  const all = await engine.containers.list({ all: true });
  return all
    .filter(({ State }) => isWanted(State))
    .map(({ Names, Image, Id }) => ({ value: Names[0]?.slice(1) ?? Id.slice(0, 12), about: Image }));
}
