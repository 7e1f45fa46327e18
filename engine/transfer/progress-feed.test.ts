import { describe, expect, it } from 'vitest';
import type { ProgressMessage } from '../../api/images.ts';
import { ProgressFeed, told } from './progress-feed.ts';

const count = (id: string, current: number): ProgressMessage => ({
  status: 'Downloading',
  id,
  progressDetail: { current, total: 9 },
});
const state = (id: string, status: string): ProgressMessage => ({ status, id, progressDetail: {} });

async function all(messages: AsyncIterable<ProgressMessage>): Promise<readonly ProgressMessage[]> {
  const read: ProgressMessage[] = [];
  for await (const message of messages) read.push(message);
  return read;
}

describe('the messages of a transfer', () => {
  it('keep every state in order, and of counts that nobody has read the newest', async () => {
    const feed = new ProgressFeed();
    feed.put(state('a', 'Pulling fs layer'));
    feed.put(count('a', 1));
    feed.put(count('b', 1));
    feed.put(count('a', 5));
    feed.put(state('a', 'Download complete'));
    feed.put(count('a', 2));
    feed.end();
    expect(await all(feed.read())).toEqual([
      state('a', 'Pulling fs layer'),
      count('a', 5),
      count('b', 1),
      state('a', 'Download complete'),
      count('a', 2),
    ]);
  });

  it('are all read before the error that ended the work', async () => {
    const read: ProgressMessage[] = [];
    const failing = told(async (tell) => {
      tell(state('a', 'Waiting'));
      await Promise.resolve();
      throw new Error('no');
    }, new AbortController().signal);
    await expect(
      (async () => {
        for await (const message of failing) read.push(message);
      })(),
    ).rejects.toThrow('no');
    expect(read).toEqual([state('a', 'Waiting')]);
  });

  it('end the work when nobody reads them any more', async () => {
    let reason: unknown = null;
    const work = told(async (tell, signal) => {
      tell(state('a', 'Waiting'));
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      reason = signal.reason;
    }, new AbortController().signal);
    await work.next();
    await work.return();
    expect(reason).toBeInstanceOf(Error);
  });
});
