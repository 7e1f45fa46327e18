import { closeSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { Children } from './children.ts';
import { FdReader } from './fd-reader.ts';
import { FdWriter } from './fd-writer.ts';
import { ProcessHandle, processStartTicks } from './pidfd.ts';
import { makePipe } from './pipes.ts';

describeWith(['linux'], 'children, pipes and pidfds', () => {
  let children: Children;
  let folder: string;
  beforeAll(() => {
    children = new Children();
    folder = mkdtempSync(join(tmpdir(), 'skiff-children-'));
  });
  afterAll(() => {
    children[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  function shell(script: string): { pid: number; ended: Promise<unknown>; output: Promise<string>; stdin: FdWriter } {
    const input = makePipe();
    const pipe = makePipe();
    const child = children.spawn({
      program: '/bin/sh',
      args: ['sh', '-c', script],
      env: ['PATH=/bin:/usr/bin'],
      stdio: [input.readEnd, pipe.writeEnd, pipe.writeEnd],
    });
    closeSync(input.readEnd);
    closeSync(pipe.writeEnd);
    const output = new Promise<string>((resolve) => {
      let text = '';
      new FdReader(pipe.readEnd, { onData: (bytes) => (text += bytes.toString()), onEnd: () => resolve(text) });
    });
    return { ...child, output, stdin: new FdWriter(input.writeEnd) };
  }

  it('gives exit codes and signals', async () => {
    const failing = shell('exit 7');
    const killed = shell('kill -9 $$');
    expect(await failing.ended).toEqual({ code: 7, signal: null });
    expect(await killed.ended).toEqual({ code: null, signal: 9 });
    failing.stdin[Symbol.dispose]();
    killed.stdin[Symbol.dispose]();
  });

  it('gives real pipes, and nothing else', async () => {
    const child = shell('echo out >/dev/stdout; echo err >/dev/stderr; ls /proc/self/fd | tr "\\n" " "');
    // 3 is the folder that ls itself has opened
    expect(await child.output).toBe('out\nerr\n0 1 2 3 ');
    child.stdin[Symbol.dispose]();
  });

  it('writes more than a pipe holds, and then the end', async () => {
    const child = shell('wc -c');
    child.stdin.write(Buffer.alloc(1_000_000, 'x'));
    child.stdin.end();
    expect((await child.output).trim()).toBe('1000000');
  });

  it('restores the default of signals that Node ignores', async () => {
    const child = shell('yes | head -n 1; grep SigIgn /proc/self/status');
    const [line, ignored] = (await child.output).split('\nSigIgn:\t');
    expect(line).toBe('y');
    const pipeAndFileSize = (1n << 12n) | (1n << 24n);
    expect(BigInt(`0x${ignored?.trim()}`) & pipeAndFileSize).toBe(0n);
    child.stdin[Symbol.dispose]();
  });

  it('waits for a process whose parent has ended', async () => {
    using hold = children.holdStrangers();
    const parent = shell('(sleep 0.05; exit 5) >/dev/null 2>&1 </dev/null & echo $!');
    const pid = Number(await parent.output);
    await parent.ended;
    expect(await children.awaitEnd(pid)).toEqual({ code: 5, signal: null });
    expect(hold).toBeDefined();
    parent.stdin[Symbol.dispose]();
  });

  it('says what is wrong with a program that is not there', () => {
    expect(() => children.spawn({ program: '/nosuch', args: ['nosuch'], env: [], stdio: [0, 1, 2] })).toThrow(
      'cannot run /nosuch: no such file or directory',
    );
  });

  it('knows and signals a process by descriptor, and sees its end', async () => {
    const child = shell('sleep 30');
    using handle = ProcessHandle.open(child.pid);
    expect(processStartTicks(child.pid)).toBeGreaterThan(0);
    const seen = new Promise<void>((resolve) => handle?.onEnd(resolve));
    expect(handle?.signal(15)).toBe(true);
    await seen;
    expect(await child.ended).toEqual({ code: null, signal: 15 });
    expect(handle?.signal(0)).toBe(false);
    expect(existsSync(`/proc/${child.pid}`)).toBe(false);
    child.stdin[Symbol.dispose]();
  });
});
