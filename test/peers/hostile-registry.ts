/**
 * A registry that serves one small image, and does with each request what its rules say: wrong bytes, cuts, drips, refusals,
 * redirects. It writes down what it is asked with which proof, so that a test can say whom the credentials reached.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import { gzipSync } from 'node:zlib';
import { hostileUploads, type Uploads } from './hostile-uploads.ts';

export interface HostileRegistry extends AsyncDisposable {
  /** `127.0.0.1:41234` */
  readonly host: string;
  readonly url: string;
  /** By digest; what rules do not touch is served from here. */
  readonly blobs: Map<string, Buffer>;
  /** By tag and by digest. */
  readonly manifests: Map<string, ServedManifest>;
  readonly requests: readonly SeenRequest[];
  /** The first rule that fits a request and has not been used up decides. */
  rule(rule: Rule): void;
  readonly uploads: Uploads;
  /** Answers that are dripping now. */
  open(): number;
  /** Takes all rules away and forgets what was asked. */
  calm(): void;
  /** Keeps an image of these layers (tars) under a tag; gives its digests. */
  addImage(tag: string, layers: readonly Buffer[], options?: { readonly config?: object }): ServedImage;
  addManifest(tag: string, document: object | Buffer, mediaType?: string): string;
}

export interface ServedManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface ServedImage {
  readonly manifest: string;
  readonly config: string;
  readonly layers: readonly string[];
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  /** Body bytes that were sent, however it ended. */
  sentBytes: number;
}

export interface Rule {
  /** Of the path: `/v2/app/blobs/…`. */
  readonly path: RegExp;
  readonly method?: string;
  /** How often it holds; for ever when absent. */
  times?: number;
  readonly act: Act;
}

export type Act =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: http.OutgoingHttpHeaders;
      readonly body?: string | object;
    }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly headers?: http.OutgoingHttpHeaders }
  /** As it should be, with these headers instead (undefined takes one away). */
  | { readonly kind: 'headers'; readonly headers: http.OutgoingHttpHeaders }
  /** The connection is cut behind so many bytes of the body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** So many bytes at once, with a pause in between, for ever. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly everyMs: number }
  /** The request is taken, and never answered. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'redirect'; readonly to: string; readonly status?: number }
  /** As though it had never heard of ranges. */
  | { readonly kind: 'whole' };

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

export const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** `app` is the name of its repository; any other name serves the same. */
export async function startHostileRegistry(): Promise<HostileRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, ServedManifest>();
  const requests: SeenRequest[] = [];
  const rules: Rule[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const uploads = hostileUploads((digest, bytes) => {
    if (digest !== sha256(bytes)) return false;
    blobs.set(digest, bytes);
    return true;
  });
  const server = http.createServer((request, response) => {
    const path = request.url ?? '/';
    const { authorization, range } = request.headers;
    const seen: SeenRequest = { method: request.method ?? '', path, authorization, range, sentBytes: 0 };
    requests.push(seen);
    const rule = rules.find(
      ({ path: pattern, method, times }) =>
        pattern.test(path) && (method === undefined || method === seen.method) && times !== 0,
    );
    if (rule?.times !== undefined) rule.times -= 1;
    if (rule === undefined && uploads.handle(request, response)) return;
    request.resume();
    answer({ request, response, act: rule?.act ?? null, seen, blobs, manifests, timers });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;

  const addManifest = (tag: string, document: object | Buffer, mediaType = manifestType): string => {
    const bytes = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
    manifests.set(tag, { mediaType, bytes });
    manifests.set(sha256(bytes), { mediaType, bytes });
    return sha256(bytes);
  };
  return {
    host,
    url: `http://${host}`,
    blobs,
    manifests,
    requests,
    uploads,
    open: () => timers.size,
    rule: (rule) => void rules.push(rule),
    calm() {
      rules.length = 0;
      requests.length = 0;
    },
    addManifest,
    addImage(tag, layers, { config = {} } = {}) {
      const packed = layers.map((layer) => gzipSync(layer));
      const configBytes = Buffer.from(
        JSON.stringify({
          architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
          os: 'linux',
          config: {},
          rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
          ...config,
        }),
      );
      for (const blob of [...packed, configBytes]) blobs.set(sha256(blob), blob);
      const manifest = addManifest(tag, {
        schemaVersion: 2,
        mediaType: manifestType,
        config: {
          mediaType: 'application/vnd.docker.container.image.v1+json',
          size: configBytes.length,
          digest: sha256(configBytes),
        },
        layers: packed.map((bytes) => ({
          mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
          size: bytes.length,
          digest: sha256(bytes),
        })),
      });
      return { manifest, config: sha256(configBytes), layers: packed.map(sha256) };
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answering {
  readonly request: http.IncomingMessage;
  readonly response: http.ServerResponse;
  readonly act: Act | null;
  readonly seen: SeenRequest;
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifests: ReadonlyMap<string, ServedManifest>;
  readonly timers: Set<NodeJS.Timeout>;
}

function answer(answering: Answering): void {
  const { response, act, seen } = answering;
  if (act === null) return serve(answering, {}, 'ranges');
  switch (act.kind) {
    case 'status': {
      const body = typeof act.body === 'object' ? JSON.stringify(act.body) : (act.body ?? '');
      response.writeHead(act.status, { 'Content-Length': Buffer.byteLength(body), ...act.headers }).end(body);
      return;
    }
    case 'bytes':
      seen.sentBytes = act.bytes.length;
      response.writeHead(200, given({ 'Content-Length': act.bytes.length, ...act.headers })).end(act.bytes);
      return;
    case 'headers':
      return serve(answering, act.headers, 'ranges');
    case 'whole':
      return serve(answering, {}, 'whole');
    case 'redirect':
      response.writeHead(act.status ?? 307, { Location: act.to, 'Content-Length': 0 }).end();
      return;
    case 'silence':
      return;
    case 'cut':
      return cut(answering, act.afterBytes);
    case 'drip':
      return drip(answering, act);
  }
}

interface Found {
  readonly bytes: Buffer;
  readonly headers: http.OutgoingHttpHeaders;
}

function find({ seen, blobs, manifests }: Answering): Found | null {
  const [, kind, name = ''] = /\/(manifests|blobs)\/([^/?]+)(?:\?.*)?$/.exec(seen.path) ?? [];
  const manifest = kind === 'manifests' ? manifests.get(name) : undefined;
  if (manifest !== undefined)
    return {
      bytes: manifest.bytes,
      headers: { 'Content-Type': manifest.mediaType, 'Docker-Content-Digest': sha256(manifest.bytes) },
    };
  const blob = kind === 'blobs' ? blobs.get(name) : undefined;
  return blob === undefined ? null : { bytes: blob, headers: { 'Content-Type': 'application/octet-stream' } };
}

function serve(answering: Answering, headers: http.OutgoingHttpHeaders, ranges: 'ranges' | 'whole'): void {
  const { response, seen } = answering;
  if (/^\/v2\/?$/.test(seen.path)) return void response.writeHead(200, { 'Content-Length': 2 }).end('{}');
  const found = find(answering);
  if (found === null) {
    const body = JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] });
    response
      .writeHead(404, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
      .end(body);
    return;
  }
  const from = ranges === 'ranges' ? Number(/^bytes=(\d+)-$/.exec(seen.range ?? '')?.[1] ?? 0) : 0;
  const bytes = found.bytes.subarray(from);
  const range = from === 0 ? {} : { 'Content-Range': `bytes ${from}-${found.bytes.length - 1}/${found.bytes.length}` };
  const all = given({ ...found.headers, ...range, 'Content-Length': bytes.length, ...headers });
  response.writeHead(from === 0 ? 200 : 206, all);
  seen.sentBytes = seen.method === 'HEAD' ? 0 : bytes.length;
  response.end(seen.method === 'HEAD' ? undefined : bytes);
}

/** Without those that are undefined. */
function given(headers: http.OutgoingHttpHeaders): http.OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

function cut(answering: Answering, afterBytes: number): void {
  const { response, seen } = answering;
  const found = find(answering);
  const from = Number(/^bytes=(\d+)-$/.exec(seen.range ?? '')?.[1] ?? 0);
  const whole = found?.bytes.length ?? 0;
  const range = from === 0 ? {} : { 'Content-Range': `bytes ${from}-${whole - 1}/${whole}` };
  const bytes = (found?.bytes ?? Buffer.alloc(0)).subarray(from, from + afterBytes);
  seen.sentBytes = bytes.length;
  response.writeHead(from === 0 ? 200 : 206, { ...found?.headers, ...range, 'Content-Length': whole - from });
  response.write(bytes, () => response.socket?.destroySoon());
  if (bytes.length === 0) response.flushHeaders();
}

function drip(answering: Answering, { bytes, everyMs }: { readonly bytes: number; readonly everyMs: number }): void {
  const { response, timers, seen } = answering;
  const found = find(answering);
  response.writeHead(200, { ...found?.headers, ...(found === null ? {} : { 'Content-Length': found.bytes.length }) });
  response.flushHeaders();
  const timer = setInterval(() => {
    const next = found?.bytes.subarray(seen.sentBytes, seen.sentBytes + bytes) ?? Buffer.alloc(bytes);
    seen.sentBytes += next.length;
    response.write(next);
    if (found !== null && seen.sentBytes === found.bytes.length) response.end();
  }, everyMs);
  timers.add(timer);
  response.once('close', () => {
    clearInterval(timer);
    timers.delete(timer);
  });
}
