/**
 * The answering end: offers an implementation of a contract over one link. Input is checked against the contract before
 * the implementation sees it, and output before the caller does, so a field that the contract does not name never leaves.
 * A stream asks its source for the next item only when the caller has room for it: a slow page makes the source wait, and
 * the source decides what waiting means (lists merge, logs stop reading).
 */
import { commonErrors, DesktopError, type ErrorCode, type ErrorShape } from '../contract/errors.ts';
import type { Contract, Implementation, Method, Stream } from '../contract/shape.ts';
import { z } from '../contract/zod.ts';
import { callerFrame, maxCalls, maxCredits, type CalleeFrame, type CallerFrame } from './frames.ts';
import type { Link } from './link.ts';

export interface ServeOptions {
  /** Told of faults of our own: an implementation that failed unforeseen or broke its contract. The caller gets `internal`. */
  readonly report?: (fault: Error) => void;
}

export interface Serving {
  /** Resolves when the link is closed and every call and stream that ran over it has ended. */
  readonly done: Promise<void>;
}

type Spec = Method<z.ZodType, z.ZodType> | Stream<z.ZodType, z.ZodType>;
type Handler = (input: unknown, signal: AbortSignal) => unknown;

interface Call {
  readonly abort: AbortController;
  credits: number;
  /** Set while a stream waits for credits. */
  wake: (() => void) | null;
}

export function serve<C extends Contract>(
  options: ServeOptions & { readonly contract: C; readonly implementation: Implementation<C>; readonly link: Link },
): Serving {
  const { contract, link, report = () => {} } = options;
  const implementation: Contracted = options.implementation;
  const calls = new Map<number, Call>();
  const running = new Set<Promise<void>>();
  const closed = Promise.withResolvers<void>();
  const send = (frame: CalleeFrame): void => link.send(frame);

  const begin = (frame: CallerFrame & { type: 'call' | 'open' }): void => {
    if (calls.has(frame.id)) return link.close(`call ${frame.id} was made twice`);
    if (calls.size >= maxCalls) return link.close(`more than ${maxCalls} calls at once`);
    const call: Call = {
      abort: new AbortController(),
      credits: frame.type === 'open' ? frame.credits : 0,
      wake: null,
    };
    calls.set(frame.id, call);
    const work = run({ frame, call, contract, implementation, send, report }).finally(() => {
      calls.delete(frame.id);
      running.delete(work);
    });
    running.add(work);
  };

  link.onFrame((raw) => {
    const parsed = callerFrame.safeParse(raw);
    if (!parsed.success) return link.close('a frame of no known form');
    const frame = parsed.data;
    if (frame.type === 'call' || frame.type === 'open') return begin(frame);
    const call = calls.get(frame.id);
    if (!call) return;
    if (frame.type === 'cancel') return call.abort.abort(new DesktopError('cancelled', 'The call was cancelled.'));
    call.credits += frame.credits;
    if (call.credits > maxCredits) return link.close('more credits than a reader can mean');
    call.wake?.();
  });
  link.onClose((reason) => {
    for (const call of calls.values()) call.abort.abort(new DesktopError('disconnected', reason));
    void Promise.allSettled(running).then(() => closed.resolve());
  });
  return { done: closed.promise };
}

type Contracted = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Run {
  readonly frame: CallerFrame & { type: 'call' | 'open' };
  readonly call: Call;
  readonly contract: Contract;
  readonly implementation: Contracted;
  readonly send: (frame: CalleeFrame) => void;
  readonly report: (fault: Error) => void;
}

/** Never rejects: whatever goes wrong becomes the call's error frame. */
async function run({ frame, call, contract, implementation, send, report }: Run): Promise<void> {
  const { id } = frame;
  const signal = call.abort.signal;
  let allowed: readonly ErrorCode[] = commonErrors;
  try {
    const spec = specOf(contract, frame);
    allowed = [...commonErrors, ...spec.errors];
    const handler = handlerOf(implementation, frame);
    const input = inputOf(spec, frame);
    if (spec.kind === 'method') {
      const output = await untilAborted(Promise.resolve(handler(input, signal)), signal);
      send({ type: 'answer', id, output: spec.output.parse(output) });
    } else {
      await pump({ source: handler(input, signal), spec, call, send: (item) => send({ type: 'item', id, item }) });
      if (!signal.aborted) send({ type: 'end', id });
    }
  } catch (error) {
    if (frame.type === 'open' && signal.aborted) return;
    send({ type: 'error', id, error: errorFor({ error, allowed, frame, report }) });
  }
}

function specOf(contract: Contract, frame: Run['frame']): Spec {
  const service = Object.hasOwn(contract, frame.service) ? contract[frame.service] : undefined;
  const spec = service && Object.hasOwn(service, frame.method) ? service[frame.method] : undefined;
  if (!spec || (spec.kind === 'stream') !== (frame.type === 'open')) {
    throw new DesktopError('unknown-method', `There is no ${frame.service}.${frame.method} of this kind.`);
  }
  return spec;
}

function handlerOf(implementation: Contracted, { service, method }: Run['frame']): Handler {
  const holder = implementation[service];
  const handler = holder?.[method];
  if (typeof handler !== 'function') throw new Error(`${service}.${method} is in the contract and not implemented`);
  return (input, signal) => Reflect.apply(handler, holder, [input, signal]);
}

function inputOf(spec: Spec, frame: Run['frame']): unknown {
  const input = spec.input.safeParse(frame.input);
  if (input.success) return input.data;
  const [issue] = input.error.issues;
  const where = issue && issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : '';
  throw new DesktopError('invalid-input', `${where}${issue?.message ?? 'not understood'}`);
}

/** A caller that has gone gets its answer at once; the work itself goes on. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason);
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}

interface Pump {
  readonly source: unknown;
  readonly spec: Stream<z.ZodType, z.ZodType>;
  readonly call: Call;
  readonly send: (item: unknown) => void;
}

async function pump({ source, spec, call, send }: Pump): Promise<void> {
  const { signal } = call.abort;
  if (!isAsyncIterable(source)) throw new Error('a stream that is not an async iterable');
  const iterator = source[Symbol.asyncIterator]();
  try {
    while (!signal.aborted) {
      if (call.credits === 0) await credited(call);
      if (signal.aborted) return;
      const next = await untilAborted(iterator.next(), signal);
      if (next.done) return;
      call.credits -= 1;
      send(spec.item.parse(next.value));
    }
  } finally {
    // A generator that is inside an await only ends when that await does: it has been told by its signal.
    await iterator.return?.();
  }
}

function credited(call: Call): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { signal } = call.abort;
  const done = (): void => {
    call.wake = null;
    signal.removeEventListener('abort', done);
    resolve();
  };
  call.wake = done;
  if (signal.aborted) done();
  else signal.addEventListener('abort', done, { once: true });
  return promise;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

function errorFor(failure: {
  readonly error: unknown;
  readonly allowed: readonly ErrorCode[];
  readonly frame: Run['frame'];
  readonly report: (fault: Error) => void;
}): ErrorShape {
  const { error, allowed, frame, report } = failure;
  const call = `${frame.service}.${frame.method}`;
  if (error instanceof DesktopError && allowed.includes(error.code)) {
    if (error.code === 'internal') report(error);
    return { code: error.code, message: error.message };
  }
  report(
    error instanceof DesktopError
      ? new Error(`${call} failed with ${error.code}, which its contract does not list`, { cause: error })
      : new Error(`${call} failed unforeseen`, { cause: error }),
  );
  if (error instanceof z.ZodError) {
    return { code: 'internal', message: 'Skiff gave an answer of the wrong form. This is a fault of Skiff.' };
  }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
