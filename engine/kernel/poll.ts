import koffi from 'koffi';

/** Watches one file descriptor on the event loop. Stopped watches cost nothing and may be started again. */
export interface Watch extends Disposable {
  start(): void;
  stop(): void;
}

/**
 * Calls `onReady` whenever `fd` can be read (or written, or has ended: level-triggered, so it is called again until that is
 * handled). The descriptor becomes non-blocking and stays its owner's, who disposes the watch before closing it. Works for
 * pipes, sockets, terminals and pidfds. A descriptor can have one watch only: a second one needs a duplicate (`duplicateFd`).
 */
export function watchFd(fd: number, interest: 'readable' | 'writable', onReady: () => void): Watch {
  const options = { readable: interest === 'readable', writable: interest === 'writable' };
  const ready = (): void => {
    try {
      onReady();
    } catch (error) {
      // A throw would pass through native code, which reports it at some later call: hand it to the process instead.
      process.nextTick(() => {
        throw error;
      });
    }
    // The native side opens no callback scope: without an event of Node's own, promises settled above would wait for the next.
    setImmediate(nothing);
  };
  let state: 'watching' | 'stopped' | 'closed' = 'watching';
  const handle = koffi.node.poll(fd, options, ready);
  return {
    start() {
      if (state !== 'stopped') return;
      state = 'watching';
      handle.start(options, ready);
    },
    stop() {
      if (state !== 'watching') return;
      state = 'stopped';
      handle.stop();
    },
    [Symbol.dispose]() {
      if (state === 'closed') return;
      state = 'closed';
      handle.close();
    },
  };
}

function nothing(): void {
  // see watchFd
}
