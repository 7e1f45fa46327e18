/**
 * How a contract is written down: services hold methods and streams, each a pair of schemas and the error codes that it
 * may answer with. Everything else is derived from that one value: the page's typed client, the type that an
 * implementation must have, and the validation at both ends (desktop/wire).
 *
 *     const client = createClient(contract, link);
 *     const { version } = await client.app.info();
 *     for await (const update of client.containers.watch({}, { signal })) apply(update);
 */
import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';

/** One question, one answer. */
export interface Method<I extends z.ZodType, O extends z.ZodType> {
  readonly kind: 'method';
  readonly input: I;
  readonly output: O;
  /** Besides those that any call may answer with (`commonErrors`). */
  readonly errors: readonly ErrorCode[];
}

/** One question, many items, until either side ends it. A slow reader slows the sender down; nothing is dropped unsaid. */
export interface Stream<I extends z.ZodType, T extends z.ZodType> {
  readonly kind: 'stream';
  readonly input: I;
  readonly item: T;
  readonly errors: readonly ErrorCode[];
}

type Service = Readonly<Record<string, Method<z.ZodType, z.ZodType> | Stream<z.ZodType, z.ZodType>>>;
export type Contract = Readonly<Record<string, Service>>;

export function method<I extends z.ZodType, O extends z.ZodType>(spec: {
  readonly input: I;
  readonly output: O;
  readonly errors?: readonly ErrorCode[];
}): Method<I, O> {
  return { kind: 'method', errors: [], ...spec };
}

export function stream<I extends z.ZodType, T extends z.ZodType>(spec: {
  readonly input: I;
  readonly item: T;
  readonly errors?: readonly ErrorCode[];
}): Stream<I, T> {
  return { kind: 'stream', errors: [], ...spec };
}

export interface CallOptions {
  /** Aborting a method stops waiting for it; what the far side has already begun is not undone by that. Aborting a stream ends it. */
  readonly signal?: AbortSignal;
  /** Methods only; default `defaultCallTimeoutMs`. Null waits as long as the link lives: for operations that tell their progress. */
  readonly timeoutMs?: number | null;
}

/** The input may be left out when every field of it may. */
type Arguments<I extends z.ZodType> =
  Record<string, never> extends z.input<I>
    ? [input?: z.input<I>, options?: CallOptions]
    : [input: z.input<I>, options?: CallOptions];

/** What the page holds. Methods reject and streams throw `DesktopError`. */
export type Client<C extends Contract> = {
  readonly [S in keyof C]: {
    readonly [M in keyof C[S]]: C[S][M] extends Method<infer I, infer O>
      ? (...args: Arguments<I>) => Promise<z.output<O>>
      : C[S][M] extends Stream<infer I, infer T>
        ? (...args: Arguments<I>) => AsyncIterable<z.output<T>>
        : never;
  };
};

/**
 * What stands behind a contract. The signal fires when the caller cancels or its link is gone; a method that changes
 * something goes on regardless, a stream stops and frees what it holds.
 */
export type Implementation<C extends Contract> = {
  readonly [S in keyof C]: {
    readonly [M in keyof C[S]]: C[S][M] extends Method<infer I, infer O>
      ? (input: z.output<I>, signal: AbortSignal) => Promise<z.input<O>>
      : C[S][M] extends Stream<infer I, infer T>
        ? (input: z.output<I>, signal: AbortSignal) => AsyncIterable<z.input<T>>
        : never;
  };
};
