import { PassThrough, Readable } from 'node:stream';
import type { Context } from '../../cli/verb.ts';
import { EngineClient } from '../../client/engine-client.ts';
import type { Machines } from '../../provisioners/machines.ts';

/** The world of a verb in memory: what it reads is given, what it writes is kept, signals are sent by the test. */
export interface MemoryContext extends Context, Disposable {
  readonly written: { readonly stdout: string; readonly stderr: string };
  signal(signal: NodeJS.Signals): void;
}

export function memoryContext(options: {
  readonly machines?: Machines;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly platform?: NodeJS.Platform;
}): MemoryContext {
  const text = { stdout: '', stderr: '' };
  const listeners = new Map<NodeJS.Signals, Set<(signal: NodeJS.Signals) => void>>();
  const sink = (name: keyof typeof text): PassThrough =>
    new PassThrough().on('data', (part: Buffer) => (text[name] += part.toString()));
  const engine = new EngineClient(() => Promise.reject(new Error('this test has no engine')));
  return {
    stdin: Readable.from([Buffer.from(options.input ?? '')]),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    environment: options.environment ?? {},
    platform: options.platform ?? 'linux',
    workingDir: '/home/me',
    nowMs: () => 1_700_000_000_000,
    contextName: 'default',
    engineHost: '',
    machineName: 'default',
    isHostGiven: false,
    engine,
    machines: async () => {
      if (!options.machines) throw new Error('this test has no machines');
      return options.machines;
    },
    onSignal(signals, listener) {
      for (const name of signals) listeners.set(name, (listeners.get(name) ?? new Set()).add(listener));
      return { [Symbol.dispose]: () => signals.forEach((name) => listeners.get(name)?.delete(listener)) };
    },
    written: text,
    signal: (name) => {
      const all = listeners.get(name) ?? new Set();
      if (all.size === 0) throw new Error(`nobody listens to ${name}: the process would die of it`);
      for (const listener of [...all]) listener(name);
    },
    [Symbol.dispose]: () => engine[Symbol.dispose](),
  };
}
