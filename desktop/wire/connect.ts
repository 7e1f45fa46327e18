/**
 * The asking end: a client typed and shaped by the contract. Nothing is sent before a method is called or a stream is
 * iterated; each iteration of a stream opens one anew.
 */
import { DesktopError } from '../contract/errors.ts';
import type { CallOptions, Client, Contract, Method, Stream } from '../contract/shape.ts';
import type { z } from '../contract/zod.ts';
import { ItemQueue } from './item-queue.ts';
import { calleeFrame, defaultCallTimeoutMs, streamWindow, type CalleeFrame, type CallerFrame } from './frames.ts';
import type { Link } from './link.ts';

export interface ConnectOptions {
  /** Also check what arrives against the contract: for tests, and for a peer that is not of the same release. */
  readonly checkOutputs?: boolean;
}

export interface Connection<C extends Contract> {
  readonly client: Client<C>;
  /** Resolves with the reason when the link is closed by either side. */
  readonly closed: Promise<string>;
  /** Everything under way ends with `disconnected`. */
  close(): void;
}

interface Pending {
  readonly isStream: boolean;
  /** Output of a method, or an item. */
  readonly take: (value: unknown) => void;
  /** Null: it ended well. */
  readonly end: (error: DesktopError | null) => void;
}

export function connect<C extends Contract>(
  options: ConnectOptions & { readonly contract: C; readonly link: Link },
): Connection<C> {
  const { contract, link, checkOutputs = false } = options;
  const calls = new Calls(link, checkOutputs);
  const services = Object.entries(contract).map(([service, methods]) => [
    service,
    Object.fromEntries(
      Object.entries(methods).map(([method, spec]) => [
        method,
        (input: unknown = {}, callOptions: CallOptions = {}) =>
          spec.kind === 'method'
            ? calls.ask({ service, method, input, spec, ...callOptions })
            : calls.stream({ service, method, input, spec, ...callOptions }),
      ]),
    ),
  ]);
  // The loop above makes for each member of the contract what Client says of it; the compiler cannot follow it there.
  const client = Object.fromEntries(services) as Client<C>;
  return { client, closed: calls.closed, close: () => link.close('closed by the caller') };
}

interface Asked extends CallOptions {
  readonly service: string;
  readonly method: string;
  readonly input: unknown;
}

class Calls {
  readonly closed: Promise<string>;
  readonly #link: Link;
  readonly #checkOutputs: boolean;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #closedFor: string | null = null;

  constructor(link: Link, checkOutputs: boolean) {
    this.#link = link;
    this.#checkOutputs = checkOutputs;
    const closed = Promise.withResolvers<string>();
    this.closed = closed.promise;
    link.onFrame((raw) => {
      const frame = calleeFrame.safeParse(raw);
      if (frame.success) this.#receive(frame.data);
      else link.close('a frame of no known form');
    });
    link.onClose((reason) => {
      this.#closedFor = reason;
      for (const pending of this.#pending.values()) pending.end(disconnected(reason));
      this.#pending.clear();
      closed.resolve(reason);
    });
  }

  async ask(asked: Asked & { readonly spec: Method<z.ZodType, z.ZodType> }): Promise<unknown> {
    const { spec, service, method, input, signal, timeoutMs = defaultCallTimeoutMs } = asked;
    if (this.#closedFor !== null) throw disconnected(this.#closedFor);
    if (signal?.aborted) throw new DesktopError('cancelled', 'The call was cancelled.');
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = this.#begin({
      isStream: false,
      take: resolve,
      end: (error) => reject(error ?? new DesktopError('internal', `${service}.${method} ended without an answer.`)),
    });
    const giveUp = (error: DesktopError): void => {
      if (this.#pending.delete(id)) this.#send({ type: 'cancel', id });
      reject(error);
    };
    const onAbort = (): void => giveUp(new DesktopError('cancelled', 'The call was cancelled.'));
    const timer =
      timeoutMs === null
        ? undefined
        : setTimeout(
            () => giveUp(new DesktopError('timeout', `${service}.${method} gave no answer for ${timeoutMs / 1000} s.`)),
            timeoutMs,
          );
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      this.#send({ type: 'call', id, service, method, input });
      const output = await promise;
      return this.#checkOutputs ? spec.output.parse(output) : output;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  stream(asked: Asked & { readonly spec: Stream<z.ZodType, z.ZodType> }): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => this.#iterate(asked) };
  }

  async *#iterate(asked: Asked & { readonly spec: Stream<z.ZodType, z.ZodType> }): AsyncGenerator<unknown> {
    const { spec, service, method, input, signal } = asked;
    if (signal?.aborted) return;
    if (this.#closedFor !== null) throw disconnected(this.#closedFor);
    const items = new ItemQueue();
    let granted = streamWindow;
    const id = this.#begin({
      isStream: true,
      take: (item) => {
        granted -= 1;
        if (granted < 0) this.#link.close('more items than were asked for');
        else items.put(item);
      },
      end: (error) => items.end(error),
    });
    const onAbort = (): void => items.end(null, 'discard');
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      this.#send({ type: 'open', id, service, method, input, credits: streamWindow });
      for (;;) {
        const next = await items.take();
        if (next === null) return;
        const room = streamWindow - granted - items.length;
        if (room >= streamWindow / 2) {
          granted += room;
          this.#send({ type: 'credit', id, credits: room });
        }
        yield this.#checkOutputs ? spec.item.parse(next.item) : next.item;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (this.#pending.delete(id)) this.#send({ type: 'cancel', id });
    }
  }

  #begin(pending: Pending): number {
    this.#lastId += 1;
    this.#pending.set(this.#lastId, pending);
    return this.#lastId;
  }

  #send(frame: CallerFrame): void {
    this.#link.send(frame);
  }

  #receive(frame: CalleeFrame): void {
    if (frame.id > this.#lastId) return this.#link.close(`an answer to call ${frame.id}, which was never made`);
    const pending = this.#pending.get(frame.id);
    if (!pending) return;
    if (
      frame.type === 'item' || frame.type === 'end' ? !pending.isStream : frame.type === 'answer' && pending.isStream
    ) {
      return this.#link.close('an answer of the wrong kind');
    }
    if (frame.type === 'item') return pending.take(frame.item);
    this.#pending.delete(frame.id);
    if (frame.type === 'answer') pending.take(frame.output);
    else pending.end(frame.type === 'error' ? new DesktopError(frame.error.code, frame.error.message) : null);
  }
}

function disconnected(reason: string): DesktopError {
  return new DesktopError('disconnected', `The connection to Skiff is closed (${reason}).`);
}
