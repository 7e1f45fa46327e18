import { describe, expect, it } from 'vitest';
import type { Accelerator, AcceleratorMemory } from './accelerators.ts';
import { acceleratorCandidates, describeAccelerator } from './accelerators.ts';
import { bootGuest } from './boot.ts';
import type { BootOutcome } from './boot-attempt.ts';

const kvmHost: Accelerator = { name: 'kvm', cpu: 'host' };
const kvmMax: Accelerator = { name: 'kvm', cpu: 'max' };
const tcg: Accelerator = { name: 'tcg', cpu: 'emulated' };

type Answer = Exclude<BootOutcome, { kind: 'booted' }> | 'boots';

/** Starts with outcomes that are answered one after the other, and notes who was asked. */
async function start(options: {
  answers: readonly Answer[];
  chosen?: Accelerator;
  passedOver?: readonly string[];
  signal?: AbortSignal;
}) {
  const answers = [...options.answers];
  const asked: string[] = [];
  const memory: AcceleratorMemory | null =
    options.chosen === undefined ? null : { chosen: options.chosen, passedOver: options.passedOver ?? [] };
  const booted = bootGuest({
    candidates: [kvmHost, kvmMax, tcg],
    memory,
    run: { tell: () => undefined, signal: options.signal ?? new AbortController().signal },
    attempt: (accelerator) => {
      asked.push(`${accelerator.name} ${accelerator.cpu}`);
      const answer = answers.shift();
      if (answer === undefined) throw new Error('asked once more than expected');
      return Promise.resolve(
        answer === 'boots'
          ? { kind: 'booted', identity: { pid: 1, startedAt: 'x' }, elapsedMs: 5, isContinued: false, lastLines: [] }
          : { ...answer, lastLines: ['last words'] },
      );
    },
  });
  const result = await booted.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  return { asked, ...result };
}

const silent: Answer = { kind: 'silent', why: 'nothing came' };
const died: Answer = { kind: 'died', why: 'Kernel panic' };
const refused: Answer = { kind: 'refused', why: 'MSR 0x10a\nmore' };

describe('a start', () => {
  it('takes the first accelerator that brings the guest up, and says why others were passed over', async () => {
    const { asked, value } = { value: undefined, ...(await start({ answers: [refused, silent, 'boots'] })) };
    expect(asked).toEqual(['kvm host', 'kvm max', 'tcg emulated']);
    expect(value).toMatchObject({
      accelerator: tcg,
      repeatedBoots: 0,
      isNews: true,
      passedOver: ['kvm, cpu host: MSR 0x10a', 'kvm, cpu max: nothing came'],
    });
  });

  it('begins with what worked before and keeps what was known about the others', async () => {
    const { asked, value } = {
      value: undefined,
      ...(await start({ answers: ['boots'], chosen: tcg, passedOver: ['kvm: no'] })),
    };
    expect(asked).toEqual(['tcg emulated']);
    expect(value).toMatchObject({ isNews: false, passedOver: ['kvm: no'] });
  });

  it('repeats a boot that hung or died with an accelerator that is known to work, and counts it', async () => {
    const { asked, value } = {
      value: undefined,
      ...(await start({ answers: [silent, died, 'boots'], chosen: kvmHost })),
    };
    expect(asked).toEqual(['kvm host', 'kvm host', 'kvm host']);
    expect(value).toMatchObject({ accelerator: kvmHost, repeatedBoots: 2 });
  });

  it('asks the others when what worked before does not any more', async () => {
    const { asked, value } = { value: undefined, ...(await start({ answers: [refused, 'boots'], chosen: kvmMax })) };
    expect(asked).toEqual(['kvm max', 'kvm host']);
    expect(value).toMatchObject({ accelerator: kvmHost, isNews: true });
  });

  it('gives emulation four tries, then fails with the last console lines', async () => {
    const { asked, error } = {
      error: undefined,
      ...(await start({ answers: [died, died, died, died, refused, refused], chosen: tcg })),
    };
    expect(asked).toEqual(['tcg emulated', 'tcg emulated', 'tcg emulated', 'tcg emulated', 'kvm host', 'kvm max']);
    expect(error).toMatchObject({ code: 'boot-failed', message: expect.stringContaining('last words') });
  });

  it('fails with the console when nothing works at all', async () => {
    const { asked, error } = {
      error: undefined,
      ...(await start({ answers: [refused, refused, died, died, died, died] })),
    };
    expect(asked).toHaveLength(6);
    expect(error).toMatchObject({
      code: 'boot-failed',
      message: expect.stringMatching(/Kernel panic\n.*\nlast words/),
    });
  });

  it('does not try again when the machine itself gave up', async () => {
    const { asked, error } = {
      error: undefined,
      ...(await start({ answers: [{ kind: 'gave-up', why: 'data: the data disk is damaged' }] })),
    };
    expect(asked).toHaveLength(1);
    expect(error).toMatchObject({ code: 'boot-failed', message: expect.stringContaining('the data disk is damaged') });
  });

  it('takes another port when one was taken meanwhile, at no cost of tries', async () => {
    const answers: Answer[] = [{ kind: 'port-taken' }, { kind: 'port-taken' }, 'boots'];
    const { asked } = await start({ answers });
    expect(asked).toEqual(['kvm host', 'kvm host', 'kvm host']);
  });

  it('ends when it is aborted between two tries', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    expect(await start({ answers: [], signal })).toMatchObject({ asked: [], error: { message: 'enough' } });
  });
});

describe('the accelerators of a computer', () => {
  it.each([
    [
      'linux',
      'x64',
      [
        'kvm, cpu host',
        'kvm, cpu host,-arch-capabilities',
        'kvm, cpu max,-arch-capabilities',
        'tcg (emulation: slow, one processor)',
      ],
    ],
    ['linux', 'arm64', ['kvm, cpu host', 'tcg (emulation: slow, one processor)']],
    ['darwin', 'arm64', ['hvf, cpu host', 'tcg (emulation: slow, one processor)']],
    ['win32', 'x64', ['whpx, cpu max', 'whpx, cpu qemu64', 'tcg (emulation: slow, one processor)']],
    ['freebsd', 'x64', ['tcg (emulation: slow, one processor)']],
  ] as const)('with %s on %s', (platform, arch, expected) => {
    expect(acceleratorCandidates({ platform, arch }).map(describeAccelerator)).toEqual(expected);
  });
});
