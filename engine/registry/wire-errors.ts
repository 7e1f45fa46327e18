/** What went wrong between here and a server, in the words of dockerd (Go's), which people and scripts look up. */
import { EngineError } from '../model/errors.ts';

/** A connection that could not be made, or ended too early: another try may go better. Told by its class, never by its text. */
export class WireError extends EngineError {
  /** `plain`: the other side speaks no TLS. `cut`: it was there, and went away. `silent`: it says nothing more. */
  readonly reason: 'plain' | 'refused' | 'unknown-host' | 'untrusted' | 'cut' | 'silent' | 'other';

  constructor(reason: WireError['reason'], message: string, options?: ErrorOptions) {
    super(reason === 'silent' ? 'unavailable' : 'internal', message, options);
    this.reason = reason;
  }
}

/** `Get "https://host/v2/": dial tcp 127.0.0.1:5000: connect: connection refused` */
export function wireError(method: string, url: URL, error: unknown): WireError {
  if (error instanceof WireError) return error;
  const { reason, text } = explain(firstOf(error), url);
  return new WireError(reason, `${goMethod(method)} "${shownUrl(url)}": ${text}`, { cause: error });
}

export function silentError(method: string, url: URL, what: 'connection' | 'answer' | 'bytes'): WireError {
  const texts = {
    connection:
      'net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
    answer: 'net/http: timeout awaiting response headers',
    bytes: 'the registry stopped sending: no more bytes came in time',
  };
  return new WireError('silent', `${goMethod(method)} "${shownUrl(url)}": ${texts[what]}`);
}

/** Addresses of blobs hold signatures in their query, which open them for whoever reads a log. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** Go writes the method of a failed request so. */
export function goMethod(method: string): string {
  return `${method.charAt(0)}${method.slice(1).toLowerCase()}`;
}

interface Explanation {
  readonly reason: WireError['reason'];
  readonly text: string;
}

const untrusted = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
]);
const notTls = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST']);

function explain(error: unknown, url: URL): Explanation {
  const fields = error instanceof Error ? (error as Error & Readonly<Record<string, unknown>>) : null;
  if (fields === null) return { reason: 'other', text: String(error) };
  const code = typeof fields['code'] === 'string' ? fields['code'] : '';
  const { host, address } = peerOf(fields, url);
  const proof = (why: string): Explanation => ({
    reason: 'untrusted',
    text: `tls: failed to verify certificate: x509: ${why}`,
  });
  // Of a write that fails, Node keeps OpenSSL's reason in the text alone.
  const isNoTls =
    notTls.has(code) || (code === 'EPROTO' && /wrong version number|packet length too long/.test(fields.message));
  if (isNoTls) return { reason: 'plain', text: 'http: server gave HTTP response to HTTPS client' };
  if (untrusted.has(code)) return proof('certificate signed by unknown authority');
  if (code === 'CERT_HAS_EXPIRED') return proof('certificate has expired or is not yet valid');
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return proof(`certificate is not valid for ${host}: ${fields.message}`);
  if (code === 'ENOTFOUND') return { reason: 'unknown-host', text: `dial tcp: lookup ${host}: no such host` };
  if (code === 'EAI_AGAIN')
    return { reason: 'unknown-host', text: `dial tcp: lookup ${host}: temporary failure in name resolution` };
  if (code === 'ECONNREFUSED') return { reason: 'refused', text: `dial tcp ${address}: connect: connection refused` };
  if (code === 'ENETUNREACH')
    return { reason: 'refused', text: `dial tcp ${address}: connect: network is unreachable` };
  if (code === 'EHOSTUNREACH') return { reason: 'refused', text: `dial tcp ${address}: connect: no route to host` };
  if (code === 'ECONNRESET' && fields.message === 'aborted') return { reason: 'cut', text: 'unexpected EOF' };
  if (code === 'ECONNRESET' && fields.message === 'socket hang up') return { reason: 'cut', text: 'EOF' };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { reason: 'cut', text: 'read: connection reset by peer' };
  return { reason: code.startsWith('HPE_') ? 'cut' : 'other', text: fields.message };
}

function peerOf(fields: Readonly<Record<string, unknown>>, url: URL): { host: string; address: string } {
  const host = typeof fields['hostname'] === 'string' ? fields['hostname'] : url.hostname;
  const ip = typeof fields['address'] === 'string' ? fields['address'] : url.hostname;
  const port = typeof fields['port'] === 'number' ? fields['port'] : url.port || (url.protocol === 'https:' ? 443 : 80);
  return { host, address: `${ip.includes(':') ? `[${ip}]` : ip}:${port}` };
}

/** A name with several addresses fails with all their errors; the last is the one that Go tells. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error;
}
