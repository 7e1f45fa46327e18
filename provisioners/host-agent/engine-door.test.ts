import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EngineDoor } from './engine-door.ts';

const { signal } = new AbortController();
const stream = (): Duplex => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });

describe('the door to an engine', () => {
  it('has one try for all who wait while nobody listens', async () => {
    let tries = 0;
    let opened = 0;
    const dial = (): Promise<Duplex> => {
      tries += 1;
      return tries < 4 ? Promise.reject(new Error('nobody listens')) : Promise.resolve(stream());
    };
    const door = new EngineDoor({ dial, onOpen: () => (opened += 1), signal, pauseMs: 1 });
    await Promise.all(Array.from({ length: 20 }, () => door.dial()));
    expect({ tries, opened }).toEqual({ tries: 3 + 20, opened: 1 });
  });

  it('lets those wait who come while the engine starts again', async () => {
    let isThere = true;
    const dial = (): Promise<Duplex> =>
      isThere ? Promise.resolve(stream()) : Promise.reject(new Error('nobody listens'));
    const door = new EngineDoor({ dial, onOpen: () => undefined, signal, pauseMs: 1 });
    await door.dial();
    isThere = false;
    const coming = door.dial();
    isThere = true;
    await expect(coming).resolves.toBeInstanceOf(Duplex);
  });

  it('sends those away who waited long enough, with what was wrong, and those who give up', async () => {
    const dial = (): Promise<Duplex> => Promise.reject(new Error('nobody listens'));
    const door = new EngineDoor({ dial, onOpen: () => undefined, signal, pauseMs: 1, waitMs: 20 });
    await expect(door.dial()).rejects.toThrow('nobody listens');
    await expect(door.dial(AbortSignal.abort(new Error('given up')))).rejects.toThrow('given up');
  });
});
