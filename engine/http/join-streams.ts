/** Joins a client's connection to the streams of a container or an exec, which the monitor holds; bytes only pass through. */
import type { Duplex, Readable, Writable } from 'node:stream';
import { DetachScanner, defaultDetachKeys, parseDetachKeys } from '../../api/detach-keys.ts';
import { invalid } from '../model/errors.ts';

export interface JoinOptions {
  readonly connection: Duplex;
  /** Of the monitor's attachment. Destroyed when the client has gone or detached. */
  readonly stream: Duplex;
  readonly hasInput: boolean;
  /** Null: the client's input is not looked into. */
  readonly detachKeys: Buffer | null;
}

/** The client's own keys, else docker's. Throws `invalid` for what are none. */
export function detachKeysOf(text: string): Buffer {
  try {
    return parseDetachKeys(text === '' ? defaultDetachKeys : text);
  } catch (error) {
    throw invalid(`Invalid detach keys (${text}) provided`, { cause: error });
  }
}

/**
 * Resolves when there is no more output to pass on: the process has ended, the client has detached, or has gone. The
 * connection is left open, and what is still buffered in it is the client's; the caller ends it.
 */
export async function joinStreams(options: JoinOptions): Promise<'ended' | 'detached' | 'gone'> {
  const { connection, stream } = options;
  // Its end is all that is told of a connection that breaks.
  stream.on('error', () => undefined);
  const detached = Promise.withResolvers<'detached'>();
  if (options.hasInput) {
    void pump(
      connection,
      stream,
      inputFilter(options, () => detached.resolve('detached')),
    ).then((how) => {
      // The end of the client's input goes on as an end of input; a client that vanishes must not look like one that is done.
      if (how === 'ended') stream.end();
      else stream.destroy();
    });
  } else connection.resume();
  const output = pump(stream, connection, (bytes) => bytes).then((how) => (how === 'ended' ? how : 'gone'));
  const outcome = await Promise.race([output, detached.promise]);
  if (outcome !== 'ended') stream.destroy();
  return outcome;
}

/** Without keys, input passes as it is. */
function inputFilter({ detachKeys }: JoinOptions, onDetach: () => void): (bytes: Buffer) => Buffer {
  if (detachKeys === null) return (bytes) => bytes;
  const scanner = new DetachScanner(detachKeys);
  let isDetached = false;
  return (bytes) => {
    if (isDetached) return Buffer.alloc(0);
    const scanned = scanner.push(bytes);
    isDetached = scanned.isDetached;
    if (isDetached) onDetach();
    return scanned.pass;
  };
}

/**
 * Not node:stream's pipeline: that one destroys both sides when either breaks, and with a client's connection the output
 * that is still on its way to it.
 */
function pump(from: Readable, to: Writable, filter: (bytes: Buffer) => Buffer): Promise<'ended' | 'closed'> {
  return new Promise((resolve) => {
    const done = (how: 'ended' | 'closed'): void => {
      from.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      to.off('drain', onDrain).off('close', onClose).off('error', onClose);
      resolve(how);
    };
    const onData = (bytes: Buffer): void => {
      const passed = filter(bytes);
      if (passed.length > 0 && !to.write(passed)) from.pause();
    };
    const onDrain = (): void => void from.resume();
    const onEnd = (): void => done('ended');
    const onClose = (): void => done('closed');
    from.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
    to.on('drain', onDrain).on('close', onClose).on('error', onClose);
    // It may have been paused while it had no reader.
    from.resume();
  });
}
