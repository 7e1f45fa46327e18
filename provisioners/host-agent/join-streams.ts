import type { Duplex } from 'node:stream';

/**
 * Joins two byte streams both ways, each direction with its own end: when one side says that it will send no more, the
 * other is told just that and may go on talking. `docker attach` and `docker exec` end stdin like this. Both must allow half-close.
 */
export function joinStreams(one: Duplex, other: Duplex): void {
  one.pipe(other);
  other.pipe(one);
  breakTogether(one, other);
  breakTogether(other, one);
}

function breakTogether(stream: Duplex, other: Duplex): void {
  // A broken connection has no better way to tell its other end than to break there too.
  stream.on('error', () => other.destroy());
  stream.on('close', () => {
    const isComplete = stream.readableEnded && stream.writableFinished;
    if (!isComplete) other.destroy();
  });
}
