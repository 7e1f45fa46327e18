import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../../test/eventually.ts';
import { LocalDriver } from '../drivers/local/local-driver.ts';
import { QemuDriver } from '../drivers/qemu/qemu-driver.ts';
import type { Driver, DriverState } from '../drivers/driver.ts';
import { readyDocument } from '../store/document.fixture.ts';
import type { MachineName } from '../store/machine-name.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { MachineStore } from '../store/machine-store.ts';
import { viewMachine } from './machine-view.ts';

/** Of a host whose network has swallowed it: neither an answer nor a refusal ever comes. */
class SilentDriver extends LocalDriver {
  override readonly name: string = 'silent';

  override state(): Promise<DriverState> {
    return new Promise(() => undefined);
  }
}

describe('a list of machines', () => {
  let home: string;
  let store: MachineStore;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-list-'));
    store = new MachineStore(home);
  });
  afterEach(async () => {
    vi.useRealTimers();
    await rm(home, { recursive: true, force: true });
  });

  async function add(driver: string, number: number): Promise<MachineName> {
    const name = parseMachineName(`${driver}-${number}`);
    await store.makeFolders(name);
    await store.write(name, readyDocument(name, { driver }));
    await writeFile(store.machine(name).dataDisk, '');
    return name;
  }

  it('does not wait for one that cannot be reached: its row says so, the others are as they are', async () => {
    const drivers = new Map<string, Driver>([
      ['silent', new SilentDriver()],
      ['qemu', new QemuDriver({ memoryFile: store.paths.qemuMemory })],
    ]);
    const names = [await add('silent', 0)];
    for (let number = 1; number < 20; number++) names.push(await add('qemu', number));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const [unreachable, ...others] = names.map((name) => viewMachine({ store, drivers, name }));
    // No time passes: were they to wait for it, they would never come.
    const states = (await Promise.all(others)).map((view) => view?.state);
    expect(states).toEqual(Array.from({ length: 19 }, () => 'stopped'));
    await eventually(() => vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(await unreachable).toMatchObject({ state: 'unknown', error: 'It did not answer within 200 ms' });
  });
});
