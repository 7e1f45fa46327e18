import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineError } from '../machines.ts';
import { skipBecause } from '../../test/skip.ts';
import { makeDriverMachine, withMachine } from './driver.fixture.ts';
import type { MadeMachine } from './driver.fixture.ts';
import type { DriverUnderTest } from './driver-under-test.ts';
import type { Driver, DriverMachine, DriverRun, StopRun } from './driver.ts';
import type { OutsideResource } from './resources.ts';

const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const moments = ['before', 'after'] as const;
type Moment = (typeof moments)[number];

interface FaultOptions {
  readonly title: string;
  readonly open: () => Promise<DriverUnderTest>;
  readonly boots?: 'quick' | 'slow';
  readonly crowd?: number;
}

/** What every driver must get right when the world around it does not: the second half of driver.suite.ts. */
export function describeFaults(options: FaultOptions): void {
  describe('when things go wrong', () => {
    let test: DriverUnderTest;
    let driver: Driver;
    let machine: DriverMachine;
    beforeEach(async () => {
      test = await options.open();
      ({ driver, machine } = test);
    });
    afterEach(() => test[Symbol.asyncDispose]());

    /** Goes on with what was begun, or takes it back: both must do, from wherever it was left. */
    const settle = async (how: 'end' | 'take back'): Promise<void> => {
      if (how === 'end') {
        await driver.create(machine, run);
        expect(await driver.state(machine)).toBe('stopped');
      }
      await driver.remove(machine, run);
      expect(await driver.access(machine)).toBeNull();
      expect(await leftOf(test)).toEqual([]);
    };
    const ways = ['end', 'take back'] as const;

    it.for(moments)(
      'is killed just %s it writes something down while it makes a machine: that is ended, or taken back',
      async (moment, context) => {
        if (moment === 'after' && test.peer?.cutAt !== undefined)
          return skipBecause(context, 'the same as a call that is cut off before its work is done, which is tried too');
        await eachDeath(machine, moment, async (mortal, index) => {
          const outcome = await mortal.untilDeath((dying) => driver.create(dying, run));
          await settle(ways[index % 2] ?? 'end');
          return outcome;
        });
      },
    );

    it('is killed just before it writes something down while it removes one: another removal ends that', async () => {
      await eachDeath(machine, 'before', async (mortal) => {
        await driver.create(machine, run);
        const outcome = await mortal.untilDeath((dying) => driver.remove(dying, run));
        await settle('take back');
        return outcome;
      });
    });

    it('is killed just before it writes something down while it starts one: it is started again, or ended', async (context) => {
      if (options.boots === 'slow') return skipBecause(context, 'its boots take too long to repeat them');
      await driver.create(machine, run);
      await eachDeath(machine, 'before', async (mortal, index) => {
        const outcome = await mortal.untilDeath((dying) => driver.start(dying, run));
        if (index % 2 === 0) {
          await driver.start(machine, run);
          expect(await driver.state(machine)).toBe('running');
        }
        await driver.kill(machine, run);
        expect(await driver.state(machine)).toBe('stopped');
        return outcome;
      });
      await driver.remove(machine, run);
      expect(await leftOf(test)).toEqual([]);
    });

    it('loses the network at any of the calls of a creation: that is ended, or taken back', async (context) => {
      const { peer } = test;
      if (peer?.cutAt === undefined) return skipBecause(context, 'its peer cannot be cut off');
      for (let call = 0; ; call++) {
        // What the peer did and could not tell is the harder half; where it did nothing, it is as after the call before.
        await peer.cutAt(call, call === 0 ? 'before' : 'after');
        const outcome = await failureOf(driver.create(machine, run));
        await peer.heal?.();
        if (outcome !== null) expect(outcome).toBeInstanceOf(MachineError);
        await settle(ways[call % 2] ?? 'end');
        if (outcome === null) {
          expect(call, 'calls that were cut off').toBeGreaterThan(0);
          break;
        }
      }
    });

    it('loses its connection after anything that it wrote down: what it makes is ended, or taken back', async (context) => {
      const { peer } = test;
      if (peer?.breakConnections === undefined) return skipBecause(context, 'it holds no connection');
      let failures = 0;
      for (let broken = 0, isAll = false; !isAll; broken++) {
        let writes = 0;
        isAll = true;
        const disturbed = watched(machine, () => {
          if (writes++ !== broken) return;
          isAll = false;
          peer.breakConnections?.();
        });
        const outcome = await failureOf(driver.create(disturbed, run));
        if (outcome !== null) expect(outcome).toBeInstanceOf(MachineError);
        failures += outcome === null ? 0 : 1;
        await settle(ways[broken % 2] ?? 'end');
      }
      expect(failures).toBeGreaterThan(0);
    });

    it('loses the network at one call of each try to remove it: it is removed in the end', async (context) => {
      const { peer } = test;
      if (peer?.cutAt === undefined) return skipBecause(context, 'its peer cannot be cut off');
      await driver.create(machine, run);
      for (let call = 0; ; call++) {
        await peer.cutAt(call, 'after');
        const outcome = await failureOf(driver.remove(machine, run));
        await peer.heal?.();
        if (outcome === null) {
          expect(call, 'calls that were cut off').toBeGreaterThan(0);
          break;
        }
      }
      await settle('take back');
    });

    it('gets through when it is told to wait', async (context) => {
      if (test.peer?.throttle === undefined) return skipBecause(context, 'its peer never asks to wait');
      await test.peer.throttle();
      await driver.create(machine, run);
      await test.peer.heal?.();
      await settle('end');
    });

    it('says why a creation is refused, and leaves nothing', async (context) => {
      const refusals = test.peer?.refusals ?? [];
      if (refusals.length === 0) return skipBecause(context, 'its peer refuses nothing');
      for (const { title, arrange, code, says } of refusals) {
        const asked = (await arrange(machine)) ?? machine;
        const tries = (async () => {
          await driver.preCreateCheck(withMachine(asked, { image: null }), run);
          await driver.create(asked, run);
        })();
        await expect(tries, title).rejects.toMatchObject({ code, message: expect.stringContaining(says) as string });
        await test.peer?.heal?.();
        await driver.remove(machine, run);
        expect(await leftOf(test), title).toEqual([]);
      }
    });

    it('is told that it was deleted elsewhere, and removes what is left of it', async (context) => {
      if (test.peer?.deleteElsewhere === undefined) return skipBecause(context, 'nobody else can delete it');
      await driver.create(machine, run);
      await test.peer.deleteElsewhere();
      expect(await driver.state(machine)).toBe('absent');
      expect(await driver.access(machine)).toBeNull();
      await expect(driver.start(machine, run)).rejects.toBeInstanceOf(MachineError);
      const stopRun: StopRun = { ...run, graceMs: 5_000, powerOff: test.powerOff };
      await driver.stop(machine, stopRun);
      await driver.kill(machine, run);
      await driver.remove(machine, run);
      await driver.remove(machine, run);
      expect(await leftOf(test)).toEqual([]);
    });

    it('never touches a machine of the same name that another installation has made', async () => {
      await using twin = await another(test, { name: machine.name });
      await driver.create(machine, run);
      const refusal = await failureOf(driver.create(twin.machine, run));
      if (refusal !== null) expect(refusal).toMatchObject({ code: 'name-taken' });
      await driver.remove(twin.machine, run);
      expect(await driver.state(machine)).toBe('stopped');
      await settle('take back');
    });

    it('makes many at once, and removes them at once', async () => {
      const crowd = await Promise.all(
        Array.from({ length: options.crowd ?? 20 }, (_, index) => another(test, { name: `crowd-${index}` })),
      );
      try {
        await Promise.all(crowd.map((one) => driver.create(one.machine, run)));
        const states = await Promise.all(crowd.map((one) => driver.state(one.machine)));
        expect(states).toEqual(crowd.map(() => 'stopped'));
        await Promise.all(crowd.map((one) => driver.remove(one.machine, run)));
        expect(await leftOf(test)).toEqual([]);
      } finally {
        for (const one of crowd) await one[Symbol.asyncDispose]();
      }
    });

    it('finds by its tag what a creation left whose journal is lost, and nothing of another installation', async (context) => {
      const { tagged } = driver;
      if (tagged === undefined) return skipBecause(context, 'what it makes carries no tag');
      const owner = randomBytes(8).toString('hex');
      await using stranger = await another(test, { name: 'stranger', owner });
      await driver.create(stranger.machine, run);
      // It is there, and nobody was told.
      const mortal = mortalWhen(machine, { moment: 'before', isTime: (written) => written?.state === 'made' });
      expect(await mortal.untilDeath((dying) => driver.create(dying, run))).toBe('died');
      const found = await tagged.find(machine.owner, run);
      expect(found.map(({ machineId }) => machineId)).toEqual([machine.id]);
      for (const one of [...found, ...found]) await one.remove(run);
      expect(await tagged.find(machine.owner, run)).toEqual([]);
      await driver.remove(machine, run);
      expect((await tagged.find(owner, run)).map(({ machineId }) => machineId)).toEqual([stranger.machine.id]);
      await driver.remove(stranger.machine, run);
      expect(await leftOf(test)).toEqual([]);
    });
  });
}

async function leftOf(test: DriverUnderTest): Promise<readonly string[]> {
  return (await test.peer?.left?.()) ?? [];
}

/** A further machine of the same driver and the same world. */
async function another(
  test: DriverUnderTest,
  what: { readonly name: string; readonly owner?: string },
): Promise<MadeMachine> {
  const { driver, machine } = test;
  const image = machine.image === null ? {} : { image: machine.image };
  return await makeDriverMachine({
    open: () => driver,
    settings: machine.settings,
    owner: machine.owner,
    ...image,
    ...what,
  });
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
    return null;
  } catch (error) {
    return error;
  }
}

/** The same machine; somebody is told of each thing that is written down, when it is. */
function watched(machine: DriverMachine, onWritten: () => void): DriverMachine {
  const { resources } = machine;
  const told = async (writing: Promise<void>): Promise<void> => {
    await writing;
    onWritten();
  };
  return withMachine(machine, {
    remember: (memory, facts) => told(machine.remember(memory, facts)),
    resources: {
      get all() {
        return resources.all;
      },
      put: (resource) => told(resources.put(resource)),
      drop: (key) => told(resources.drop(key)),
    },
  });
}

interface Mortal {
  /** Runs it with a machine whose writer dies at its moment: from then on nothing of it goes on, no `catch` and no `finally`. */
  untilDeath(work: (machine: DriverMachine) => Promise<void>): Promise<'done' | 'died'>;
}

/** Once for each thing that is written down, until nothing is left to die at. */
async function eachDeath(
  machine: DriverMachine,
  moment: Moment,
  life: (mortal: Mortal, index: number) => Promise<'done' | 'died'>,
): Promise<void> {
  for (let deaths = 0; ; deaths++) {
    let writes = 0;
    const mortal = mortalWhen(machine, { moment, isTime: () => writes++ === deaths });
    if ((await life(mortal, deaths)) === 'done') return;
  }
}

/**
 * As kill -9 does it: what was written before is there, and the program is no more. A promise that never resolves keeps its
 * code from going on; a program that is really killed differs in nothing that the journal or the world could tell.
 */
function mortalWhen(
  machine: DriverMachine,
  death: {
    readonly moment: Moment;
    /** Asked at each write, of a resource or of what is remembered. */
    readonly isTime: (written: OutsideResource | null) => boolean;
  },
): Mortal {
  let isDead = false;
  const died = Promise.withResolvers<'died'>();
  const forEver = new Promise<never>(() => undefined);
  const write = async (written: OutsideResource | null, work: () => Promise<void>): Promise<void> => {
    if (isDead) return forEver;
    isDead = death.isTime(written);
    if (!isDead || death.moment === 'after') await work();
    if (!isDead) return;
    died.resolve('died');
    return forEver;
  };
  const { resources } = machine;
  const dying = withMachine(machine, {
    remember: (memory, facts) => write(null, () => machine.remember(memory, facts)),
    resources: {
      get all() {
        return resources.all;
      },
      put: (resource) => write(resource, () => resources.put(resource)),
      drop: (key) => write(null, () => resources.drop(key)),
    },
  });
  return {
    untilDeath: (work) => Promise.race([work(dying).then(() => 'done' as const), died.promise]),
  };
}
