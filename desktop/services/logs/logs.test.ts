import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import { openDesktopCore, type DesktopCore } from '../../../test/peers/desktop-core.ts';
import type { LogLine } from '../../contract/logs.ts';
import { Batches } from './batches.ts';
import { LogLines } from './log-lines.ts';
import { ResumePoint } from './resume-point.ts';

const line = (change: Partial<LogLine>): LogLine => ({
  stream: 'stdout',
  time: '2026-11-21T09:29:22.123456789Z',
  text: '',
  isPartial: false,
  ...change,
});

describe('lines of a log', () => {
  const time = '2026-11-21T09:29:22.123456789Z';

  it('have their time and their stream, and lose their line ends alone', () => {
    const lines = new LogLines('framed');
    expect(lines.push('stdout', Buffer.from(`${time}  two  spaces \r\n`))).toEqual([line({ text: ' two  spaces ' })]);
    expect(lines.push('stderr', Buffer.from(`${time} \n`))).toEqual([line({ stream: 'stderr' })]);
    expect(lines.push('stdout', Buffer.from('no time\n'))).toEqual([line({ time: null, text: 'no time' })]);
  });

  it('that the engine had to cut are partial', () => {
    const lines = new LogLines('framed');
    expect(lines.push('stdout', Buffer.from(`${time} begin`))).toEqual([line({ text: 'begin', isPartial: true })]);
    expect(lines.push('stdout', Buffer.from(`${time} end\n`))).toEqual([line({ text: 'end' })]);
  });

  it('of a terminal are the same wherever its bytes are cut', () => {
    const bytes = Buffer.from(`${time} grün \u{1f6a3}\r\n${time} second\n${time} without end`);
    const whole = new LogLines('raw');
    const expected = [...whole.push('stdout', bytes), ...whole.end()];
    expect(expected.map(({ text, isPartial }) => [text, isPartial])).toEqual([
      ['grün \u{1f6a3}', false],
      ['second', false],
      ['without end', true],
    ]);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const lines = new LogLines('raw');
      const got = [
        ...lines.push('stdout', bytes.subarray(0, cut)),
        ...lines.push('stdout', bytes.subarray(cut)),
        ...lines.end(),
      ];
      expect(got, `cut at ${cut}`).toEqual(expected);
    }
  });

  it('without end are not held for ever', () => {
    const lines = new LogLines('raw');
    const got = lines.push('stdout', Buffer.alloc(300_000, 'x'));
    expect(got.map(({ text, isPartial }) => [text.length, isPartial])).toEqual([[300_000, true]]);
  });
});

describe('the point to go on from', () => {
  it('asks for the time of the last line, to the nanosecond', () => {
    const point = new ResumePoint();
    expect(point.since).toBeUndefined();
    point.unseen([line({ time: '2026-11-21T09:29:22.5Z' })]);
    expect(point.since).toBe('1795253362.500000000');
    point.unseen([line({ time: '2026-11-21T09:29:22.123456789Z' })]);
    expect(point.since).toBe('1795253362.123456789');
    point.unseen([line({ time: '2026-11-21T09:29:23Z' })]);
    expect(point.since).toBe('1795253363.000000000');
  });

  it('tells each line once, also of many that bear the same time, wherever the break was', () => {
    const times = ['01', '02', '02', '02', '03', '03'].map((second) => `2026-11-21T09:29:${second}Z`);
    const log = times.map((time, index) => line({ time, text: String(index) }));
    for (let cut = 0; cut <= log.length; cut += 1) {
      const point = new ResumePoint();
      const before = point.unseen(log.slice(0, cut));
      const last = before.at(-1)?.time;
      point.resume();
      const after = point.unseen(log.filter(({ time }) => last === undefined || (time ?? '') >= (last ?? '')));
      expect([...before, ...after].map(({ text }) => text).join(''), `cut at ${cut}`).toBe('012345');
    }
  });
});

describe('batches', () => {
  it('gather while the reader is busy and hold the writer back when they are full', async () => {
    const batches = new Batches();
    let written = 0;
    const writing = (async () => {
      for (; written < 20_000; written += 1) await batches.put([line({ text: String(written) })]);
      batches.end();
    })();
    await eventually(() => written).toBe(3999);
    const texts: string[] = [];
    for (let lines = await batches.take(); lines; lines = await batches.take()) {
      expect(lines.length).toBeLessThanOrEqual(1000);
      texts.push(...lines.map(({ text }) => text));
    }
    await writing;
    expect(texts).toEqual(Array.from({ length: 20_000 }, (_, n) => String(n)));
  });

  it('give out what is gathered before the error', async () => {
    const batches = new Batches();
    await batches.put([line({})]);
    batches.end(new Error('lost'));
    expect(await batches.take()).toHaveLength(1);
    await expect(batches.take()).rejects.toThrow('lost');
  });
});

describe('the log of a container', () => {
  let desktop: DesktopCore;
  const machine = 'default';

  const open = async (): Promise<void> => {
    desktop = await openDesktopCore({ prepare: (machines) => machines.add(machine) });
    const { connections } = desktop.core.lists;
    const ready = AbortSignal.timeout(30_000);
    await connections.until(() => (connections.get(machine)?.state === 'ready' ? true : undefined), ready);
  };
  const run = async (script: string, isTty = false): Promise<string> => {
    const command = ['sh', '-c', script];
    const { id } = await desktop.client.containers.run({ machine, image: 'hello', command, isTty });
    return id;
  };
  /** Reads on in the background; `text` is what has come so far. */
  const follow = (id: string, input: { tail?: number | null; follow?: boolean } = {}) => {
    const stop = new AbortController();
    const lines: LogLine[] = [];
    const done = (async () => {
      for await (const item of desktop.client.logs.open({ machine, id, ...input }, { signal: stop.signal })) {
        lines.push(...item.lines);
      }
    })();
    done.catch(() => undefined);
    return { lines, done, stop, texts: () => lines.map(({ text }) => text) };
  };

  afterEach(async () => {
    await desktop[Symbol.asyncDispose]();
    expect(desktop.faults).toEqual([]);
  });

  it('comes whole, with streams and times, and ends when it is not followed', async () => {
    await open();
    const id = await run('echo out; echo err >&2; echo last');
    await eventually(() => desktop.engine.state.container(id).status).toBe('exited');
    const log = follow(id, { follow: false, tail: null });
    await log.done;
    expect(log.lines.map(({ stream, text, isPartial }) => [stream, text, isPartial])).toEqual([
      ['stdout', 'out', false],
      ['stderr', 'err', false],
      ['stdout', 'last', false],
    ]);
    for (const { time } of log.lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const tail = follow(id, { follow: false, tail: 1 });
    await tail.done;
    expect(tail.texts()).toEqual(['last']);
  });

  it('is followed across restarts of the container, each line once, until it is removed', async () => {
    await open();
    const id = await run('echo hi; trap "exit 0" TERM; sleep 1000 & wait');
    const log = follow(id);
    await eventually(log.texts).toEqual(['hi']);
    await desktop.client.containers.restart({ machine, id, graceSeconds: 1 });
    await eventually(log.texts).toEqual(['hi', 'hi']);
    await desktop.client.containers.stop({ machine, id, graceSeconds: 1 });
    await desktop.client.containers.start({ machine, id });
    await eventually(log.texts).toEqual(['hi', 'hi', 'hi']);
    await desktop.client.containers.remove({ machine, id, force: true });
    await log.done;
    expect(log.texts()).toEqual(['hi', 'hi', 'hi']);
  });

  it('goes on where it was when the connection is lost', async () => {
    await open();
    const id = await run('echo one; echo two; trap "exit 0" TERM; sleep 1000 & wait');
    const log = follow(id);
    await eventually(log.texts).toEqual(['one', 'two']);
    desktop.engine.disconnectAll();
    await desktop.engine.state.stop(desktop.engine.state.container(id), 1);
    desktop.engine.state.start(desktop.engine.state.container(id));
    await eventually(log.texts).toEqual(['one', 'two', 'one', 'two']);
    log.stop.abort();
    await log.done;
  });

  it('of a terminal comes in lines too', async () => {
    await open();
    const id = await run('echo one; echo two', true);
    await eventually(() => desktop.engine.state.container(id).status).toBe('exited');
    const log = follow(id, { follow: false });
    await log.done;
    expect(log.texts()).toEqual(['one', 'two']);
  });

  it('ends with a clear error where there is none', async () => {
    await open();
    await expect(follow('nobody').done).rejects.toMatchObject({ code: 'no-such-container' });
    desktop.machines.change(machine, { state: 'stopped' });
    await eventually(() => desktop.core.lists.connections.get(machine)?.state).toBe('off');
    await expect(follow('nobody').done).rejects.toMatchObject({ code: 'not-running' });
  });

  it('leaves no connection when the page goes', async () => {
    await open();
    const id = await run('echo hi; sleep 1000');
    const log = follow(id);
    await eventually(log.texts).toEqual(['hi']);
    const before = desktop.engine.server.open.size;
    log.stop.abort();
    await log.done;
    await eventually(() => desktop.engine.server.open.size).toBeLessThan(before);
  });
});
