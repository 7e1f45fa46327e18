/**
 * What the protocol needs of a transport: whole frames, in order, until one side closes. A frame is plain data (what JSON
 * can say, and Uint8Array); how it becomes bytes is the link's own affair. Links say nothing about who the peer is, so what
 * arrives is `unknown` until the protocol has looked at it.
 */
export interface Link {
  /** Does nothing once the link is closed: the listener of `onClose` has been told. Frames sent before a link is open wait for it. */
  send(frame: object): void;
  /** One listener; frames that arrived before it was set are given to it at once. */
  onFrame(listener: (frame: unknown) => void): void;
  /** One listener, called once, whichever side closed; at once when that has happened already. */
  onClose(listener: (reason: string) => void): void;
  /** `reason` is for the log of either side. */
  close(reason: string): void;
}

/** The part that every link has alike: holding frames until somebody listens, telling the end once. */
export class LinkEvents {
  #frameListener: ((frame: unknown) => void) | null = null;
  #closeListener: ((reason: string) => void) | null = null;
  #early: unknown[] = [];
  #closedFor: string | null = null;

  get isClosed(): boolean {
    return this.#closedFor !== null;
  }

  onFrame(listener: (frame: unknown) => void): void {
    this.#frameListener = listener;
    const early = this.#early;
    this.#early = [];
    for (const frame of early) if (!this.isClosed) listener(frame);
  }

  onClose(listener: (reason: string) => void): void {
    this.#closeListener = listener;
    if (this.#closedFor !== null) listener(this.#closedFor);
  }

  frame(frame: unknown): void {
    if (this.isClosed) return;
    if (this.#frameListener) this.#frameListener(frame);
    else this.#early.push(frame);
  }

  /** False when it was closed before. */
  closed(reason: string): boolean {
    if (this.isClosed) return false;
    this.#closedFor = reason;
    this.#early = [];
    this.#closeListener?.(reason);
    return true;
  }
}
