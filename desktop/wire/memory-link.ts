import { LinkEvents, type Link } from './link.ts';

/** Two ends in one process. Frames are cloned, as every other link does, and arrive in a later turn. */
export function memoryLinks(): readonly [Link, Link] {
  const left = new LinkEvents();
  const right = new LinkEvents();
  return [end(left, right), end(right, left)];
}

function end(here: LinkEvents, there: LinkEvents): Link {
  return {
    send(frame) {
      if (here.isClosed) return;
      const copy: unknown = structuredClone(frame);
      queueMicrotask(() => there.frame(copy));
    },
    onFrame: (listener) => here.onFrame(listener),
    onClose: (listener) => here.onClose(listener),
    close(reason) {
      if (!here.closed(reason)) return;
      queueMicrotask(() => there.closed(reason));
    },
  };
}
