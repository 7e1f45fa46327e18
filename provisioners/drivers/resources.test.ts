import { beforeEach, describe, expect, it } from 'vitest';
import { memoryJournal } from './driver.fixture.ts';
import type { ResourceJournal } from './resources.ts';
import { provideResource, removeResource } from './resources.ts';

/** A cloud with one kind of thing, which dies where a test says. */
class TinyCloud {
  readonly servers = new Map<string, string>();
  diesAfterMaking = false;

  find = (tag: string): Promise<string | null> =>
    Promise.resolve([...this.servers].find(([, of]) => of === tag)?.[0] ?? null);

  make = (tag: string): Promise<string> => {
    const id = `i-${this.servers.size + 1}`;
    this.servers.set(id, tag);
    return this.diesAfterMaking ? Promise.reject(new Error('killed')) : Promise.resolve(id);
  };
}

describe('a journal of outside resources', () => {
  let cloud: TinyCloud;
  let journal: ResourceJournal;
  const tag = 'skiff:abc';
  const provide = (): Promise<string> =>
    provideResource(journal, {
      key: 'server',
      title: 'Server',
      tag,
      find: () => cloud.find(tag),
      make: () => cloud.make(tag),
    });
  const remove = (): Promise<void> =>
    removeResource(journal, 'server', {
      find: () => cloud.find(tag),
      remove: (id) => Promise.resolve(void cloud.servers.delete(id)),
    });

  beforeEach(() => {
    cloud = new TinyCloud();
    journal = memoryJournal();
  });

  it('makes a resource once, however often it is asked for', async () => {
    expect(await provide()).toBe('i-1');
    expect(await provide()).toBe('i-1');
    expect(cloud.servers.size).toBe(1);
    expect(journal.all).toEqual([{ key: 'server', title: 'Server', tag, state: 'made', id: 'i-1' }]);
  });

  it('finds by its tag what was made just before the end', async () => {
    cloud.diesAfterMaking = true;
    await expect(provide()).rejects.toThrow('killed');
    expect(journal.all).toMatchObject([{ state: 'asked', id: null }]);
    cloud.diesAfterMaking = false;
    expect(await provide()).toBe('i-1');
    expect(cloud.servers.size).toBe(1);
  });

  it('removes also what nobody was told of', async () => {
    cloud.diesAfterMaking = true;
    await expect(provide()).rejects.toThrow('killed');
    await remove();
    expect(cloud.servers.size).toBe(0);
    expect(journal.all).toEqual([]);
    await remove();
  });

  it('leaves alone what its machine never asked for', async () => {
    cloud.servers.set('i-9', tag);
    await remove();
    expect(cloud.servers.size).toBe(1);
  });
});
