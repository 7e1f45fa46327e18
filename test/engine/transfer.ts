/** Pulls and pushes through the API, with all that the engine said. */
import http from 'node:http';
import { call } from './api.ts';

export interface Told {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  readonly errorDetail?: { readonly message: string };
  readonly aux?: { readonly Tag: string; readonly Digest: string; readonly Size: number };
  readonly message?: string;
}

export interface Transferred {
  readonly status: number;
  readonly told: readonly Told[];
  /** The error, wherever it stood; null when there was none. */
  readonly error: string | null;
}

export async function pull(
  socket: string,
  fromImage: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Transferred> {
  return transferred(await call(socket, 'POST', `/images/create?${new URLSearchParams({ fromImage, ...query })}`));
}

export async function push(socket: string, name: string, tag = ''): Promise<Transferred> {
  const target = `/images/${name}/push?${new URLSearchParams(tag === '' ? {} : { tag })}`;
  return transferred(await call(socket, 'POST', target, undefined, { 'X-Registry-Auth': 'e30=' }));
}

/** A pull whose client can go: `seen` resolves when a message passes. */
export function startPull(
  socket: string,
  fromImage: string,
  tag: string,
): {
  readonly leave: () => void;
  readonly ended: Promise<readonly Told[]>;
  seen(what: (told: Told) => boolean): Promise<void>;
} {
  const told: Told[] = [];
  const listeners = new Set<() => void>();
  const ended = Promise.withResolvers<readonly Told[]>();
  const request = http.request(
    { socketPath: socket, method: 'POST', path: `/images/create?${new URLSearchParams({ fromImage, tag })}` },
    (response) => {
      let rest = '';
      response.on('data', (chunk: Buffer) => {
        const lines = `${rest}${chunk.toString()}`.split('\r\n');
        rest = lines.pop() ?? '';
        told.push(...lines.map((line) => JSON.parse(line) as Told));
        for (const listener of listeners) listener();
      });
      response.once('close', () => ended.resolve(told));
    },
  );
  request.on('error', () => ended.resolve(told));
  request.end();
  return {
    leave: () => request.destroy(),
    ended: ended.promise,
    async seen(what) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const listener = (): void => {
        if (told.some(what)) resolve();
      };
      listeners.add(listener);
      listener();
      void ended.promise.then(() => reject(new Error(`the pull ended first: ${JSON.stringify(told)}`)));
      const limit = setTimeout(() => reject(new Error(`timeout: ${JSON.stringify(told)}`)), 60_000);
      try {
        await promise;
      } finally {
        clearTimeout(limit);
        listeners.delete(listener);
      }
    },
  };
}

/** States of one layer or of the whole, without the counts in between. */
export function states(told: readonly Told[], id: string): readonly string[] {
  return told
    .filter((one) => one.id === id)
    .flatMap(({ status }, index, all) => {
      return status === undefined || status === all[index - 1]?.status ? [] : [status];
    });
}

function transferred({ status, text }: { readonly status: number; readonly text: string }): Transferred {
  const told = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Told);
  const error = told.find((one) => one.error !== undefined || one.message !== undefined);
  return { status, told, error: error?.error ?? error?.message ?? null };
}
