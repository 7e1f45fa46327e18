/** Where the sources of a container's binds are: in the machine, or on the user's computer, which shares some of its folders with it. */
import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { EngineError, forbidden, invalid } from '../../model/errors.ts';
import type { Found, Shares } from '../../shares/shares.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';
import type { MountSpec } from '../spec/spec.ts';

type Bind = Extract<MountSpec, { kind: 'bind' }>;

/** By source: those of the user's computer. All others are what their paths say. */
export type SharedSources = ReadonlyMap<string, Found>;

/**
 * Before anything is made. Throws `invalid` for a source that is missing and may not be made, `forbidden` for one that the user must have
 * meant on the own computer, which does not share it.
 */
export async function assertBindSource({ shares }: Pick<Parts, 'shares'>, mount: Bind): Promise<void> {
  if (mount.from === 'volumes-from') return;
  if (shares.isShared(mount.source)) {
    if (mount.whenMissing === 'fail') await inDockersWords(() => shares.find(mount.source, 'fail'));
    return;
  }
  if (isThere(mount.source)) return;
  assertMayBeMade(shares, mount);
}

/** For a start: `-v` makes a missing folder, as docker does; anything else that is wrong with a source is found here, before crun does. */
export async function makeBindSources({ shares }: Parts, { id, spec }: Container): Promise<SharedSources> {
  const shared = new Map<string, Found>();
  for (const mount of spec.mounts) {
    if (mount.kind !== 'bind') continue;
    const { source, whenMissing } = mount;
    if (shares.isShared(source)) {
      shared.set(source, await inDockersWords(() => shares.hold(id, source, whenMissing)));
      continue;
    }
    if (whenMissing === 'make' && lstatSync(source, { throwIfNoEntry: false }) === undefined) makeFolder(shares, mount);
    else assertThere(mount);
  }
  return shared;
}

function makeFolder(shares: Shares, mount: Bind): void {
  assertMayBeMade(shares, mount);
  try {
    mkdirSync(mount.source, { recursive: true });
  } catch (error) {
    throw missing(mount, error);
  }
}

function assertThere(mount: Bind): void {
  try {
    statSync(mount.source);
  } catch (error) {
    throw missing(mount, error);
  }
}

function isThere(source: string): boolean {
  try {
    return statSync(source, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // a part of the path is no folder: docker calls that missing too
  }
}

/** Neither shared nor there. */
function assertMayBeMade({ list }: Shares, mount: Bind): void {
  const { source, whenMissing } = mount;
  if (list.whenMissing === 'refuse') {
    const shared = list.folders.map(({ path }) => path).join(', ') || 'nothing';
    const hint = `Shared: ${shared}. Share it with: skiff machine share ${list.machine} ${source}`;
    throw forbidden(`mounts denied: ${source} is not shared with machine "${list.machine}". ${hint}`);
  }
  if (whenMissing === 'fail') throw missing(mount);
}

async function inDockersWords<T>(find: () => Promise<T>): Promise<T> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof EngineError) || error.kind !== 'invalid') throw error;
    throw invalid(`invalid mount config for type "bind": ${error.message}`, { cause: error });
  }
}

function missing({ source }: Bind, cause?: unknown): EngineError {
  return invalid(`invalid mount config for type "bind": bind source path does not exist: ${source}`, { cause });
}
