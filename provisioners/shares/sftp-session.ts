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
import type { FileRequestsOptions } from './file-requests.ts';
import { FileRequests } from './file-requests.ts';

/** The answering side of SFTP over one stream to a machine; requests are answered in the order in which they come. */
export class SftpSession {
  readonly #stream: Duplex;
  readonly #requests: FileRequests;
  readonly #splitter = new PacketSplitter();

  constructor(stream: Duplex, options: FileRequestsOptions) {
    this.#stream = stream;
    this.#requests = new FileRequests(options);
  }

  /** Resolves when the stream has ended, with all that was open closed; never rejects. */
  async run(): Promise<void> {
    using _requests = this.#requests;
    const stream = this.#stream;
    await new Promise<void>((resolve) => {
      stream.on('error', () => stream.destroy());
      stream.once('close', resolve);
      stream.once('end', () => stream.destroy());
      stream.on('drain', () => stream.resume());
      stream.on('data', (chunk: Buffer) => this.#take(chunk));
    });
  }

  /** Lost when the machine does not keep up: it sees the change itself a second later. */
  tell(changes: readonly FileChange[]): void {
    if (this.#stream.destroyed || this.#stream.writableNeedDrain) return;
    const packet = new PacketWriter(packetType.extendedReply).u32(changesId).u32(changes.length);
    for (const { kind, path } of changes) packet.text(kind).text(path);
    this.#stream.write(packet.bytes());
  }

  #take(chunk: Buffer): void {
    const stream = this.#stream;
    stream.cork();
    try {
      for (const packet of this.#splitter.push(chunk)) this.#answer(new PacketReader(packet));
    } catch (error) {
      // Nothing that follows in a stream that is out of step could be understood.
      stream.destroy(error instanceof Error ? error : new Error(String(error)));
    } finally {
      stream.uncork();
    }
    if (stream.writableNeedDrain) stream.pause();
  }

  #answer(request: PacketReader): void {
    const type = request.u8();
    const id = request.u32();
    // Of the first packet that number is the version, which is the same for both sides.
    const packets =
      type === packetType.init
        ? [new PacketWriter(packetType.version).u32(protocolVersion).bytes()]
        : this.#requests.answer(type, id, request);
    for (const packet of packets) this.#stream.write(packet);
  }
}
