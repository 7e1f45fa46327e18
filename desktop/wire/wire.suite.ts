/** What every link must carry: one suite, run by `link.test.ts` for each of them. */
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/eventually.ts';
import { DesktopError } from '../contract/errors.ts';
import { method, stream, type Implementation } from '../contract/shape.ts';
import { z } from '../contract/zod.ts';
import { connect, type Connection } from './connect.ts';
import { streamWindow } from './frames.ts';
import type { Link } from './link.ts';
import { serve, type Serving } from './serve.ts';

const probe = {
  calls: {
    add: method({ input: z.strictObject({ a: z.int(), b: z.int().default(1) }), output: z.object({ sum: z.int() }) }),
    reverse: method({
      input: z.strictObject({ bytes: z.instanceof(Uint8Array), nested: z.array(z.instanceof(Uint8Array)) }),
      output: z.object({ bytes: z.instanceof(Uint8Array), sizes: z.array(z.int()) }),
    }),
    refuse: method({ input: z.strictObject({}), output: z.object({}), errors: ['conflict'] }),
    undeclared: method({ input: z.strictObject({}), output: z.object({}) }),
    crash: method({ input: z.strictObject({}), output: z.object({}) }),
    leak: method({ input: z.strictObject({}), output: z.object({ shown: z.string() }) }),
    hang: method({ input: z.strictObject({}), output: z.object({}) }),
  },
  streams: {
    count: stream({ input: z.strictObject({ to: z.int() }), item: z.object({ n: z.int() }) }),
    bytes: stream({ input: z.strictObject({ pieces: z.int() }), item: z.object({ piece: z.instanceof(Uint8Array) }) }),
    endless: stream({ input: z.strictObject({}), item: z.object({ n: z.int() }) }),
    breaks: stream({ input: z.strictObject({ after: z.int() }), item: z.object({ n: z.int() }), errors: ['conflict'] }),
    silent: stream({ input: z.strictObject({}), item: z.object({}) }),
  },
};

/** Behind the contract, with what a test wants to know of it. */
class Peer {
  readonly faults: string[] = [];
  /** Items taken from `endless`. */
  taken = 0;
  readonly ended: string[] = [];

  implementation(): Implementation<typeof probe> {
    const until = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    return {
      calls: {
        add: async ({ a, b }) => ({ sum: a + b }),
        reverse: async ({ bytes, nested }) => ({
          bytes: Buffer.from(bytes.toReversed()),
          sizes: nested.map((piece) => piece.byteLength),
        }),
        refuse: async () => {
          throw new DesktopError('conflict', 'It is taken.');
        },
        undeclared: async () => {
          throw new DesktopError('conflict', 'It is taken.');
        },
        crash: async () => {
          throw new TypeError('x is not a function');
        },
        leak: async () => {
          const answer = { shown: 'yes', secret: 'no' };
          return answer;
        },
        hang: async (_, signal) => {
          await until(signal);
          this.ended.push('hang');
          return {};
        },
      },
      streams: {
        count: async function* ({ to }) {
          for (let n = 0; n < to; n += 1) yield { n };
        },
        bytes: async function* ({ pieces }) {
          for (let n = 0; n < pieces; n += 1) yield { piece: Buffer.alloc(1000, n) };
        },
        endless: (_, signal) => this.endless(signal),
        breaks: async function* ({ after }) {
          for (let n = 0; n < after; n += 1) yield { n };
          throw new DesktopError('conflict', 'It broke.');
        },
        silent: (_, signal) => this.silent(until(signal)),
      },
    };
  }

  private async *endless(signal: AbortSignal): AsyncGenerator<{ n: number }> {
    try {
      for (let n = 0; !signal.aborted; n += 1) {
        this.taken += 1;
        yield { n };
      }
    } finally {
      this.ended.push('endless');
    }
  }

  // eslint-disable-next-line require-yield -- silence is what it is for
  private async *silent(aborted: Promise<void>): AsyncGenerator<Record<string, never>> {
    await aborted;
    this.ended.push('silent');
  }
}

export interface LinkPair {
  readonly caller: Link;
  readonly callee: Link;
  /** Whatever the pair stands on. */
  close(): Promise<void> | void;
}

export function describeWire(name: string, open: () => Promise<LinkPair>): void {
  describe(`the wire over ${name}`, () => {
    let pair: LinkPair;
    let peer: Peer;
    let serving: Serving;
    let connection: Connection<typeof probe>;

    const start = async (): Promise<Connection<typeof probe>['client']> => {
      pair = await open();
      peer = new Peer();
      const report = (fault: Error): void => void peer.faults.push(fault.message);
      serving = serve({ contract: probe, implementation: peer.implementation(), link: pair.callee, report });
      connection = connect({ contract: probe, link: pair.caller, checkOutputs: true });
      return connection.client;
    };
    afterEach(async () => {
      pair.caller.close('the test is over');
      await serving.done;
      await pair.close();
    });

    it('answers a call, with the defaults of its input filled in', async () => {
      const client = await start();
      expect(await client.calls.add({ a: 2, b: 3 })).toEqual({ sum: 5 });
      expect(await client.calls.add({ a: 2 })).toEqual({ sum: 3 });
    });

    it('answers many calls at once, each to its caller', async () => {
      const client = await start();
      const sums = await Promise.all(Array.from({ length: 200 }, (_, a) => client.calls.add({ a, b: a })));
      expect(sums.map(({ sum }) => sum)).toEqual(Array.from({ length: 200 }, (_, a) => 2 * a));
    });

    it('carries bytes both ways, nested and empty ones too', async () => {
      const client = await start();
      const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251);
      const answer = await client.calls.reverse({ bytes, nested: [new Uint8Array(0), Buffer.from('abc')] });
      expect(Buffer.compare(answer.bytes, bytes.toReversed())).toBe(0);
      expect(answer.sizes).toEqual([0, 3]);
    });

    it('refuses input that breaks the contract, naming the field', async () => {
      const client = await start();
      const wrong: unknown = { a: 'two' };
      await expect(client.calls.add(wrong as { a: number })).rejects.toMatchObject({
        code: 'invalid-input',
        message: expect.stringContaining('a: '),
      });
      const extra: unknown = { a: 1, c: 1 };
      await expect(client.calls.add(extra as { a: number })).rejects.toMatchObject({ code: 'invalid-input' });
    });

    it('refuses services, methods and kinds that the contract does not have', async () => {
      const client = await start();
      const ask = (service: string, name: string): Promise<unknown> => {
        const other = { [service]: { [name]: method({ input: z.unknown(), output: z.unknown() }) } };
        const caller = connect({ contract: other, link: pair.caller }).client;
        return caller[service]?.[name]?.({}) ?? Promise.resolve();
      };
      expect(await client.calls.add({ a: 1 })).toEqual({ sum: 2 });
      for (const [service, name] of [
        ['nothing', 'add'],
        ['calls', 'nothing'],
        ['calls', 'constructor'],
        ['__proto__', 'toString'],
        ['streams', 'count'],
      ] as const) {
        await expect(ask(service, name)).rejects.toMatchObject({ code: 'unknown-method' });
      }
    });

    it('passes an error of the catalogue on, and makes `internal` of any other and reports it', async () => {
      const client = await start();
      await expect(client.calls.refuse()).rejects.toMatchObject({ code: 'conflict', message: 'It is taken.' });
      expect(peer.faults).toEqual([]);
      await expect(client.calls.crash()).rejects.toMatchObject({ code: 'internal', message: 'x is not a function' });
      await expect(client.calls.undeclared()).rejects.toMatchObject({ code: 'internal' });
      expect(peer.faults).toEqual([
        'calls.crash failed unforeseen',
        'calls.undeclared failed with conflict, which its contract does not list',
      ]);
    });

    it('lets no field out that the contract does not name', async () => {
      const client = await start();
      expect(await client.calls.leak()).toEqual({ shown: 'yes' });
    });

    it('cancels a call, and tells the implementation', async () => {
      const client = await start();
      const controller = new AbortController();
      const call = client.calls.hang({}, { signal: controller.signal });
      controller.abort();
      await expect(call).rejects.toMatchObject({ code: 'cancelled' });
      await eventually(() => peer.ended).toEqual(['hang']);
    });

    it('gives up a call after its timeout, naming it', async () => {
      const client = await start();
      await expect(client.calls.hang({}, { timeoutMs: 5 })).rejects.toMatchObject({
        code: 'timeout',
        message: 'calls.hang gave no answer for 0.005 s.',
      });
      await eventually(() => peer.ended).toEqual(['hang']);
    });

    it('streams 10 000 items in order', async () => {
      const client = await start();
      let expected = 0;
      for await (const { n } of client.streams.count({ to: 10_000 })) {
        if (n !== expected) throw new Error(`item ${n} came where ${expected} was due`);
        expected += 1;
      }
      expect(expected).toBe(10_000);
    });

    it('streams bytes', async () => {
      const client = await start();
      const firsts: (number | undefined)[] = [];
      for await (const { piece } of client.streams.bytes({ pieces: 50 })) firsts.push(piece[999]);
      expect(firsts).toEqual(Array.from({ length: 50 }, (_, n) => n));
    });

    it('runs streams side by side, an iteration each', async () => {
      const client = await start();
      const counted = client.streams.count({ to: 100 });
      const sizes = await Promise.all(
        [counted, counted, client.streams.count({ to: 7 })].map(async (items) => {
          let count = 0;
          for await (const _ of items) count += 1;
          return count;
        }),
      );
      expect(sizes).toEqual([100, 100, 7]);
    });

    it('holds a source back while nobody reads', async () => {
      const client = await start();
      const items = client.streams.endless()[Symbol.asyncIterator]();
      expect(await items.next()).toEqual({ done: false, value: { n: 0 } });
      await eventually(() => peer.taken).toBe(streamWindow);
      // Calls go on being answered: nothing of the stream stands in their way.
      for (let round = 0; round < 20; round += 1) await client.calls.add({ a: round });
      expect(peer.taken).toBe(streamWindow);
      for (let n = 1; n <= 100; n += 1) expect(await items.next()).toEqual({ done: false, value: { n } });
      expect(peer.taken).toBeLessThanOrEqual(101 + streamWindow);
      await items.return?.();
      await eventually(() => peer.ended).toEqual(['endless']);
    });

    it('ends the source when the loop is left or its signal fires', async () => {
      const client = await start();
      for await (const { n } of client.streams.endless()) if (n === 3) break;
      await eventually(() => peer.ended).toEqual(['endless']);
      const controller = new AbortController();
      let last = -1;
      for await (const { n } of client.streams.endless({}, { signal: controller.signal })) {
        last = n;
        if (n === 3) controller.abort();
      }
      expect(last).toBe(3);
      await eventually(() => peer.ended).toEqual(['endless', 'endless']);
    });

    it('ends a loop that waits for an item when its signal fires', async () => {
      const client = await start();
      const controller = new AbortController();
      const loop = (async () => {
        for await (const _ of client.streams.silent({}, { signal: controller.signal })) throw new Error('an item?');
      })();
      await client.calls.add({ a: 1 });
      controller.abort();
      await loop;
      await eventually(() => peer.ended).toEqual(['silent']);
    });

    it('gives out the items before an error, then the error', async () => {
      const client = await start();
      const seen: number[] = [];
      const loop = (async () => {
        for await (const { n } of client.streams.breaks({ after: 3 })) seen.push(n);
      })();
      await expect(loop).rejects.toMatchObject({ code: 'conflict', message: 'It broke.' });
      expect(seen).toEqual([0, 1, 2]);
    });

    it('ends everything under way with `disconnected` when the link goes, on both sides', async () => {
      const client = await start();
      const call = client.calls.hang();
      const loop = (async () => {
        for await (const { n } of client.streams.endless())
          if (n === 50) pair.callee.close('the machine went to sleep');
      })();
      await expect(call).rejects.toMatchObject({ code: 'disconnected' });
      await expect(loop).rejects.toMatchObject({ code: 'disconnected' });
      expect(await connection.closed).toContain('the machine went to sleep');
      await serving.done;
      expect(peer.ended.toSorted()).toEqual(['endless', 'hang']);
      await expect(client.calls.add({ a: 1 })).rejects.toMatchObject({ code: 'disconnected' });
    });

    describe('with a hostile caller', () => {
      const open = { type: 'open', id: 1, service: 'streams', method: 'endless', input: {}, credits: 1 };
      const deep = JSON.parse('['.repeat(500) + ']'.repeat(500)) as unknown;
      it.each<[string, object[]]>([
        ['no frame at all', [{}]],
        ['an array', [[1, 2]]],
        ['an unknown type', [{ type: 'eval', id: 1 }]],
        ['a frame with something extra', [{ type: 'cancel', id: 1, and: 'more' }]],
        ['a number that is none', [{ ...open, id: 'one' }]],
        ['a number below 1', [{ ...open, id: 0 }]],
        ['a number used twice', [open, open]],
        ['credits without measure', [{ ...open, credits: 1e9 }]],
        ['credits piled up', [open, ...Array.from({ length: 9 }, () => ({ type: 'credit', id: 1, credits: 1024 }))]],
        ['a name without end', [{ ...open, service: 'x'.repeat(100_000) }]],
        ['frames of the answering side', [{ type: 'answer', id: 1, output: {} }]],
        ['a frame nested out of all reason', [{ type: 'cancel', id: deep }]],
        [
          'calls without end',
          Array.from({ length: 1001 }, (_, id) => ({
            type: 'call',
            id: id + 1,
            service: 'calls',
            method: 'hang',
            input: {},
          })),
        ],
      ])('closes the link at %s', async (_, frames) => {
        await start();
        for (const frame of frames) pair.caller.send(frame);
        await connection.closed;
        await serving.done;
      });

      it('survives input that is only odd, and answers', async () => {
        const client = await start();
        for (const input of [undefined, null, deep, { a: 1, ['__proto__']: { b: 2 } }]) {
          await expect(client.calls.add(input as { a: number })).rejects.toMatchObject({ code: 'invalid-input' });
        }
        pair.caller.send({ type: 'cancel', id: 999 });
        pair.caller.send({ type: 'credit', id: 999, credits: 1 });
        expect(await client.calls.add({ a: 1 })).toEqual({ sum: 2 });
      });
    });

    it.each<[string, object]>([
      ['no frame at all', {}],
      ['an answer to what was never asked', { type: 'answer', id: 77, output: {} }],
      ['an item for a call', { type: 'item', id: 1, item: {} }],
      ['an error outside the catalogue', { type: 'error', id: 1, error: { code: 'made-up', message: '' } }],
    ])('the caller closes the link at %s', async (_, frame) => {
      const client = await start();
      const call = client.calls.hang();
      pair.callee.send(frame);
      await expect(call).rejects.toMatchObject({ code: 'disconnected' });
      await connection.closed;
    });

    it('the caller closes the link when it is sent more than it asked for', async () => {
      const client = await start();
      const items = client.streams.silent()[Symbol.asyncIterator]();
      const first = items.next();
      for (let sent = 0; sent <= streamWindow; sent += 1) pair.callee.send({ type: 'item', id: 1, item: {} });
      await connection.closed;
      await first;
    });
  });
}
