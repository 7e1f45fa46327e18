import { once } from 'node:events';
import type { ProgressMessage } from '../../api/images.ts';
import { diskFullMessage, isDiskFull } from '../store/disk-reserve.ts';
import type { Exchange } from './exchange.ts';

/**
 * Sends what long work tells, a JSON object a line. An error before the first message has a status of its own (it is thrown); a later one
 * stands in the stream as its last object, as docker's clients expect. A slow client slows the reading, not the work.
 */
export async function streamProgress(
  exchange: Exchange,
  messages: AsyncGenerator<ProgressMessage, void, void>,
  onError: (error: unknown) => void,
): Promise<'complete' | 'failed'> {
  const { signal } = exchange;
  const first = await messages.next();
  const response = exchange.startStream('application/json');
  const send = async (message: object): Promise<void> => {
    if (!response.write(`${JSON.stringify(message)}\r\n`)) await once(response, 'drain', { signal });
  };
  try {
    for (let next = first; next.done !== true; next = await messages.next()) await send(next.value);
    response.end();
    return 'complete';
  } catch (error) {
    const message = messageOf(error);
    onError(error);
    if (!signal.aborted) await send({ errorDetail: { message }, error: message });
    response.end();
    return 'failed';
  } finally {
    await messages.return();
  }
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return isDiskFull(error) && !message.includes('no space left on device') ? diskFullMessage : message;
}
