import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const bodies = 1500;
const startedEvery = 30;
const atOnce = 8;

/** A series that is the same in each run: a failure names the number of its body. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 … below. Source: Marsaglia, xorshift. */
  roll(below: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % below;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.roll(list.length)] as T;
  }
}

const config =
  'Hostname Domainname User AttachStdin Tty OpenStdin StdinOnce Env Cmd Entrypoint Image Volumes WorkingDir Labels StopSignal StopTimeout ExposedPorts Healthcheck Shell MacAddress'.split(
    ' ',
  );
const host =
  'Binds Mounts Tmpfs PortBindings PublishAllPorts NetworkMode RestartPolicy AutoRemove LogConfig Privileged ReadonlyRootfs CapAdd CapDrop SecurityOpt Dns DnsSearch ExtraHosts Memory MemorySwap MemoryReservation MemorySwappiness NanoCpus CpuShares CpuPeriod CpuQuota CpusetCpus CpusetMems PidsLimit ShmSize Devices DeviceCgroupRules DeviceRequests Ulimits Sysctls GroupAdd Init OomScoreAdj OomKillDisable BlkioWeight BlkioWeightDevice BlkioDeviceReadBps IpcMode PidMode UTSMode UsernsMode CgroupnsMode CgroupParent Runtime Isolation Annotations StorageOpt MaskedPaths ReadonlyPaths ConsoleSize VolumesFrom Links'.split(
    ' ',
  );

/** Words that mean something somewhere, and values of every kind. */
const words = [
  '',
  'none',
  'host',
  'private',
  'shareable',
  'container:x',
  '/',
  '/a/../../..',
  '..',
  '\0',
  'ä\n\u202e',
  'a'.repeat(5000),
  '80/tcp',
  '0.0.0.0',
  'ALL',
  'seccomp={"defaultAction":5}',
  'no-new-privileges',
  'c *:* rwm',
  '0-1',
  'always',
  'on-failure',
  'json-file',
  'SIGKILL',
  '__proto__',
  'constructor',
  '/proc/self/fd/3',
  'size=1k,mode=9',
  '/tmp:/x:ro,z',
];
const numbers = [0, -1, 1, 1.5, 255, 65_536, 2 ** 31, 2 ** 53, -(2 ** 63), 1e300, 6 * 2 ** 20, 1e9];

function anything(dice: Dice, depth: number): unknown {
  const kind = dice.roll(depth > 2 ? 5 : 8);
  if (kind === 0) return null;
  if (kind === 1) return dice.roll(2) === 0;
  if (kind === 2) return dice.pick(numbers);
  if (kind < 5) return dice.pick(words);
  const length = dice.roll(4);
  const items = Array.from({ length }, () => anything(dice, depth + 1));
  if (kind === 5) return items;
  const keys = [
    'Name',
    'Type',
    'Source',
    'Target',
    'Path',
    'PathOnHost',
    'PathInContainer',
    'Soft',
    'Hard',
    'Rate',
    ...words,
  ];
  return Object.fromEntries(items.map((item) => [dice.pick(keys), item]));
}

function makeBody(number: number): string {
  const dice = new Dice(number * 2_654_435_761 + 1);
  const fields = (names: readonly string[], most: number): Record<string, unknown> =>
    Object.fromEntries(Array.from({ length: dice.roll(most) + 1 }, () => [dice.pick(names), anything(dice, 0)]));
  const body = JSON.stringify({
    Image: 'hello',
    Cmd: ['true'],
    ...(dice.roll(2) === 0 ? fields(config, 3) : {}),
    HostConfig: dice.roll(20) === 0 ? anything(dice, 0) : fields(host, 3),
  });
  // Now and then what is no JSON any more.
  return dice.roll(25) === 0 ? body.slice(0, dice.roll(body.length)) : body;
}

describeWith(['linux', 'root', { program: 'crun' }], 'security: creates that nobody would write', () => {
  let engine: RunningEngine;
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  it(`are answered, all ${bodies} of them, and leave nothing half made`, { timeout: 300_000 }, async () => {
    const pid = engine.pid();
    const statuses = new Map<number, number>();
    const round = async (number: number): Promise<void> => {
      const body = makeBody(number);
      const answer = await call(engine.socket, 'POST', '/containers/create', body);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      expectHonest(`body ${number} ${body.slice(0, 300)}`, answer);
      if (answer.status !== 201) return;
      const { Id } = answer.json() as { Id: string };
      const inspected = await call(engine.socket, 'GET', `/containers/${Id}/json`);
      expect(inspected.status, `body ${number}: ${inspected.text}`).toBe(200);
      if (number % startedEvery === 0) {
        const started = await call(engine.socket, 'POST', `/containers/${Id}/start`);
        expect([204, 304, 400, 404, 409, 500, 503], `body ${number}: ${started.text}`).toContain(started.status);
      }
      const removed = await call(engine.socket, 'DELETE', `/containers/${Id}?force=1&v=1`);
      expect([204, 404, 409], `body ${number}: ${removed.text}`).toContain(removed.status);
    };
    for (let number = 0; number < bodies; number += atOnce)
      await Promise.all(Array.from({ length: atOnce }, (_, index) => round(number + index)));
    expect(engine.pid()).toBe(pid);
    expect((await call(engine.socket, 'GET', '/_ping')).text).toBe('OK');
    // Both sides of the fence were seen.
    expect(statuses.get(201) ?? 0).toBeGreaterThan(50);
    expect(statuses.get(400) ?? 0).toBeGreaterThan(500);
    await expect.poll(async () => (await call(engine.socket, 'GET', '/containers/json?all=1')).text.trim()).toBe('[]');
    for (const root of [engine.dataRoot, engine.execRoot])
      await expect.poll(() => readdirSync(path.join(root, 'containers'))).toEqual([]);
    expect(engine.log()).not.toContain('unexpected error');
  });
});

/** Made, or refused with a reason; never a failure of the engine's own. */
function expectHonest(what: string, { status, text }: Answer): void {
  expect([201, 400, 404, 409, 501], `${what}: ${status} ${text}`).toContain(status);
  if (status !== 201) expect((JSON.parse(text) as { message: string }).message, what).not.toBe('');
}
