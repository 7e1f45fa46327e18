import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchComputer } from './watch-computer.ts';

describe('what happens to this computer', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is a sleep by the time that no timer counted, and by that alone', () => {
    let offsetMs = 0;
    const onChange = vi.fn();
    using _watch = watchComputer(onChange, { clock: () => performance.now() + offsetMs, addresses: () => '10.0.0.1' });
    vi.advanceTimersByTime(60_000);
    expect(onChange).not.toHaveBeenCalled();
    offsetMs += 3_600_000;
    vi.advanceTimersByTime(5_000);
    expect(onChange.mock.calls).toEqual([['slept']]);
    vi.advanceTimersByTime(60_000);
    expect(onChange).toHaveBeenCalledOnce();
  });

  it('is another network when it has other addresses', () => {
    let address = '10.0.0.1';
    const onChange = vi.fn();
    using _watch = watchComputer(onChange, { clock: () => performance.now(), addresses: () => address });
    vi.advanceTimersByTime(10_000);
    address = '192.168.1.7';
    vi.advanceTimersByTime(10_000);
    expect(onChange.mock.calls).toEqual([['network']]);
  });
});
