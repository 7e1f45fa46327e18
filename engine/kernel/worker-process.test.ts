import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { WorkerProcess } from './worker-process.ts';

describe('a worker process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-worker-'));
  const program = join(folder, 'waits.mjs');
  writeFileSync(program, 'process.on("disconnect", () => process.exit()); process.send("ready");');

  afterAll(() => rmSync(folder, { recursive: true }));

  it('that is ended while bytes for it lie unread tells its end, and that alone', async () => {
    const worker = new WorkerProcess({ program, heapMegabytes: 64, bytes: 'with-pipe' });
    const ready = Promise.withResolvers<unknown>();
    const ended = Promise.withResolvers<Error>();
    worker.listen(ready.resolve, ended.resolve);
    expect(await ready.promise).toBe('ready');
    const { pipe } = worker;
    const closed = new Promise((resolve) => pipe.once('close', resolve));
    if (!pipe.write(Buffer.alloc(1 << 20))) pipe.write('more than fits');
    await worker[Symbol.asyncDispose]();
    expect((await ended.promise).message).toContain('signal SIGKILL');
    await closed;
    expect(pipe.errored).toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) as string });
  });
});
