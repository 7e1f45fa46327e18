/** Lines to systemd's journal (source: systemd, "Native Journal Protocol"). */
import { UnixDatagram } from '../kernel/unix-datagram.ts';
import type { CutLine } from './line-cutter.ts';
import type { JournaldPlan } from './log-plan.ts';
import type { LineSender } from './sent-log.ts';

const socketPath = '/run/systemd/journal/socket';
const priorities = { stdout: '6', stderr: '3' };

/** One entry. A value with a newline goes with its length before it. Pure. */
export function journalEntry(fields: Readonly<Record<string, string | Buffer>>): Buffer {
  const newline = Buffer.from('\n');
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, given]) => {
      const value = Buffer.from(given);
      if (!value.includes(0x0a)) return [Buffer.from(`${name}=`), value, newline];
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(value.length));
      return [Buffer.from(`${name}\n`), length, value, newline];
    }),
  );
}

/** Throws in docker's words when there is no journal here. */
export function openJournal(plan: JournaldPlan, path = socketPath): LineSender {
  let wire: UnixDatagram;
  try {
    wire = new UnixDatagram(path);
  } catch (error) {
    throw new Error('journald is not enabled on this host', { cause: error });
  }
  return {
    send(stream, { text, isPartial }: CutLine) {
      const more: Readonly<Record<string, string>> = isPartial ? { CONTAINER_PARTIAL_MESSAGE: 'true' } : {};
      wire.send(journalEntry({ ...plan.fields, PRIORITY: priorities[stream], ...more, MESSAGE: text }));
    },
    [Symbol.dispose]: () => wire[Symbol.dispose](),
  };
}
