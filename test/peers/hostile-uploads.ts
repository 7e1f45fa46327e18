/** The part of the hostile registry that takes blobs: it keeps what came of a cut upload and lets it go on, as the specification has it. */
import { randomUUID } from 'node:crypto';
import type http from 'node:http';

export interface Uploads {
  /** True when the request was one of an upload: it is answered then. */
  handle(request: http.IncomingMessage, response: http.ServerResponse): boolean;
  /** Cuts the next upload's connection when so many bytes of it are there. */
  cutNext(atBytes: number): void;
  /** Where an upload goes on is told with this in front: another host, or nothing for a path alone. */
  locationPrefix: string;
}

/** `keep` gets what was uploaded; false: its digest is another. */
export function hostileUploads(keep: (digest: string, bytes: Buffer) => boolean): Uploads {
  const open = new Map<string, Buffer[]>();
  const cuts: number[] = [];
  const state = { locationPrefix: '' };
  const sizeOf = (chunks: readonly Buffer[]): number => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const place = (response: http.ServerResponse, path: string, chunks: readonly Buffer[], status: number): void => {
    const range = `0-${Math.max(0, sizeOf(chunks) - 1)}`;
    response.writeHead(status, { Location: `${state.locationPrefix}${path}`, Range: range, 'Content-Length': 0 }).end();
  };
  const append = (request: http.IncomingMessage, chunks: Buffer[], done: () => void): void => {
    const cutAt = request.method === 'PATCH' ? cuts.shift() : undefined;
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (cutAt !== undefined && sizeOf(chunks) >= cutAt) request.socket.destroy();
    });
    request.on('error', () => undefined);
    request.once('end', done);
  };
  return {
    handle(request, response) {
      const url = new URL(request.url ?? '/', 'http://peer');
      const [, base, id] = /^(\/v2\/.+\/blobs\/uploads\/)([0-9a-f-]*)$/.exec(url.pathname) ?? [];
      if (base === undefined) return false;
      if (request.method === 'POST') {
        request.resume();
        const fresh = randomUUID();
        open.set(fresh, []);
        place(response, `${base}${fresh}?state=a%2Fb`, [], 202);
        return true;
      }
      const chunks = open.get(id ?? '');
      if (chunks === undefined) {
        request.resume();
        response.writeHead(404, { 'Content-Length': 0 }).end();
        return true;
      }
      const path = `${base}${id ?? ''}?state=a%2Fb`;
      if (request.method === 'PATCH') append(request, chunks, () => place(response, path, chunks, 202));
      else if (request.method === 'PUT')
        append(request, chunks, () => {
          const digest = url.searchParams.get('digest') ?? '';
          const isKept = url.searchParams.get('state') === 'a/b' && keep(digest, Buffer.concat(chunks));
          response.writeHead(isKept ? 201 : 400, { 'Content-Length': 0 }).end();
        });
      else {
        request.resume();
        place(response, path, chunks, 204);
      }
      return true;
    },
    cutNext: (atBytes) => void cuts.push(atBytes),
    get locationPrefix() {
      return state.locationPrefix;
    },
    set locationPrefix(prefix) {
      state.locationPrefix = prefix;
    },
  };
}
