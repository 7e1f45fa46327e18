import type { Duplex } from 'node:stream';
import {
  PacketReader,
  PacketSplitter,
  PacketWriter,
  changesId,
  packetType,
  protocolVersion,
} from '../../api/shares/packets.ts';
import type { FileChange } from '../../api/shares/shares.ts';

export interface Reply {
  readonly type: number;
  /** What follows the id. */
  readonly fields: PacketReader;
}

/** The line ended before the answer came: nobody knows what became of the request. */
export class LineLost extends Error {
  override readonly name = 'LineLost';
}

interface Pending {
  readonly askedMs: number;
  /** For many replies: those that came. */
  readonly many: Reply[] | null;
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (error: Error) => void;
}

const lookEveryMs = 2_000;
const greetingMs = 30_000;
const lastAnswerMs = 5_000;

/** The asking side of SFTP over one stream: any number of requests at once, each answered by its id. */
export class HostLine {
  /** Resolves when the stream has ended; never rejects. */
  readonly ended: Promise<void>;
  readonly #stream: Duplex;
  readonly #onChanges: (changes: readonly FileChange[]) => void;
  readonly #splitter = new PacketSplitter();
  readonly #pending = new Map<number, Pending>();
  readonly #looking: NodeJS.Timeout;
  #lastId = 0;
  #isOpen = true;
  #isEnding = false;
  #greeted: (() => void) | null = null;

  constructor(
    stream: Duplex,
    options: { readonly onChanges: (changes: readonly FileChange[]) => void; readonly answerMs: number },
  ) {
    this.#stream = stream;
    this.#onChanges = options.onChanges;
    this.ended = new Promise((resolve) => stream.once('close', () => resolve(this.#end())));
    stream.on('error', () => stream.destroy());
    stream.once('end', () => stream.destroy());
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#looking = setInterval(() => this.#look(options.answerMs), lookEveryMs).unref();
  }

  /** The first thing to do. Throws LineLost when nobody answers. */
  async greet(): Promise<void> {
    const timer = setTimeout(() => this.#stream.destroy(), greetingMs);
    const greeted = new Promise<void>((resolve) => (this.#greeted = resolve));
    this.#stream.write(new PacketWriter(packetType.init).u32(protocolVersion).bytes());
    await Promise.race([greeted, this.ended]);
    clearTimeout(timer);
    if (!this.#isOpen) throw new LineLost();
  }

  /** `packet` has its type alone; `data` goes behind it uncopied, as the last field. */
  async ask(packet: PacketWriter, write: (packet: PacketWriter) => unknown, data?: Buffer): Promise<Reply> {
    const [reply] = await this.#ask(packet, { write, data, many: null });
    if (reply === undefined) throw new LineLost();
    return reply;
  }

  /** All replies up to the STATUS that ends them, which is among them only when it is an error. */
  askForMany(packet: PacketWriter, write: (packet: PacketWriter) => unknown): Promise<readonly Reply[]> {
    return this.#ask(packet, { write, data: undefined, many: [] });
  }

  /** Nothing is asked any more: it ends with the last answer that is still to come. */
  endWhenAnswered(): void {
    this.#isEnding = true;
    if (this.#pending.size === 0) this.#stream.destroy();
    // One that broke and has not been told so never answers.
    else setTimeout(() => this.#stream.destroy(), lastAnswerMs).unref();
  }

  #ask(
    packet: PacketWriter,
    of: {
      readonly write: (packet: PacketWriter) => unknown;
      readonly data: Buffer | undefined;
      readonly many: Reply[] | null;
    },
  ): Promise<readonly Reply[]> {
    if (!this.#isOpen || this.#isEnding) return Promise.reject(new LineLost());
    this.#lastId = (this.#lastId + 1) % changesId;
    const id = this.#lastId;
    of.write(packet.u32(id));
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { askedMs: performance.now(), many: of.many, resolve, reject });
      this.#stream.write(packet.bytes(of.data?.length ?? 0));
      if (of.data !== undefined) this.#stream.write(of.data);
    });
  }

  #take(chunk: Buffer): void {
    try {
      for (const packet of this.#splitter.push(chunk)) this.#settle(new PacketReader(packet));
    } catch {
      this.#stream.destroy(); // out of step: nothing that follows could be understood
    }
  }

  #settle(fields: PacketReader): void {
    const type = fields.u8();
    const id = fields.u32();
    if (type === packetType.version) return this.#greeted?.();
    if (id === changesId) return this.#onChanges(changesIn(fields));
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const reply = { type, fields };
    if (pending.many !== null && type !== packetType.status) {
      pending.many.push(reply);
      return;
    }
    this.#pending.delete(id);
    if (this.#isEnding && this.#pending.size === 0) this.#stream.destroy();
    if (pending.many === null) return pending.resolve([reply]);
    const isEnd = fields.u32() === 1;
    pending.resolve(isEnd ? pending.many : [failureOf(fields.text())]);
  }

  /** The oldest request stands first. */
  #look(answerMs: number): void {
    const [oldest] = this.#pending.values();
    if (oldest !== undefined && performance.now() - oldest.askedMs > answerMs) this.#stream.destroy();
  }

  #end(): void {
    this.#isOpen = false;
    clearInterval(this.#looking);
    for (const { reject } of this.#pending.values()) reject(new LineLost());
    this.#pending.clear();
  }
}

function failureOf(words: string): Reply {
  const packet = new PacketWriter(packetType.status).u32(4).text(words).bytes();
  return { type: packetType.status, fields: new PacketReader(packet.subarray(5)) };
}

function changesIn(fields: PacketReader): readonly FileChange[] {
  const changes: FileChange[] = [];
  for (let left = fields.u32(); left > 0; left--) {
    const kind = fields.text();
    const path = fields.text();
    if (kind === 'created' || kind === 'changed' || kind === 'removed') changes.push({ kind, path });
  }
  return changes;
}
