/** What a registry says when it says no (source: OCI distribution spec 1.1, "Error Codes"), in dockerd's words. */
import { parseChallenges } from './challenges.ts';
import { RegistryError } from './registry-error.ts';
import { shownUrl } from './wire-errors.ts';
import type { Answer, Wire } from './wire.ts';

/** Documents of registries are small; whoever sends more wants to fill our memory. */
const mostErrorBytes = 64 * 1024;

/** Reads the answer to its end. */
export async function refusalOf(wire: Wire, answer: Answer, signal: AbortSignal): Promise<RegistryError> {
  const { status } = answer;
  const text = answer.method === 'HEAD' ? '' : await textOf(wire, answer, signal);
  if (answer.method === 'HEAD') wire.discard(answer);
  const told = status >= 400 && status < 500 ? errorsIn(text) : [];
  const errors = isOutOfScope(answer) ? [outOfScope, ...(told.length === 0 ? [authenticationRequired] : told)] : told;
  const [first] = errors;
  const waitMs = [429, 503].includes(status) ? retryAfterMs(answer.headers['retry-after'], Date.now()) : null;
  if (first === undefined) {
    const message = plainMessage(answer, text);
    return new RegistryError({ status, code: '', first: message, message, retryAfterMs: waitMs });
  }
  const lines = errors.map(({ code, message }) => `${shownCode(code)}: ${message}`);
  const [firstLine = ''] = lines;
  const message = lines.length === 1 ? firstLine : `errors:\n${lines.join('\n')}\n`;
  return new RegistryError({ status, code: first.code, first: firstLine, message, retryAfterMs: waitMs });
}

const outOfScope = { code: 'DENIED', message: 'requested access to the resource is denied' };
const authenticationRequired = { code: 'UNAUTHORIZED', message: 'authentication required' };

/** The token is good, and allows something else (source: RFC 6750, section 3.1). */
function isOutOfScope({ status, headers }: Answer): boolean {
  const challenges = status === 401 ? parseChallenges(headers['www-authenticate']) : [];
  return challenges.some(({ parameters }) => parameters['error'] === 'insufficient_scope');
}

function plainMessage({ status, statusText, url }: Answer, text: string): string {
  if (status === 401) return `unauthorized: ${detailsIn(text) ?? 'authentication required'}`;
  if (status === 429) return `toomanyrequests: ${detailsIn(text) ?? 'too many requests'}`;
  if (status === 403) return `denied: ${detailsIn(text) ?? `access to ${shownUrl(url)} is forbidden`}`;
  if (status >= 400 && status < 500 && text.trim() !== '' && detailsIn(text) === null)
    return `error parsing HTTP ${status} response body: ${JSON.stringify(text.slice(0, 200))}`;
  return `received unexpected HTTP status: ${status} ${statusText}`;
}

async function textOf(wire: Wire, answer: Answer, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of wire.bytes(answer, signal)) {
    size += chunk.length;
    if (size > mostErrorBytes) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function errorsIn(text: string): readonly { readonly code: string; readonly message: string }[] {
  const document = documentIn(text);
  const errors: unknown = document?.['errors'];
  if (!Array.isArray(errors)) return [];
  return errors.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { code, message } = entry as Readonly<Record<string, unknown>>;
    if (typeof code !== 'string') return [];
    return [{ code, message: typeof message === 'string' && message !== '' ? message : shownCode(code) }];
  });
}

/** Token servers and proxies have an older form: `{"details": "…"}`. */
function detailsIn(text: string): string | null {
  const document = documentIn(text);
  const details = document?.['details'] ?? document?.['message'];
  return typeof details === 'string' ? details : null;
}

function documentIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : null;
  } catch {
    return null; // an error page of whatever stands before the registry
  }
}

/** `MANIFEST_UNKNOWN` -> `manifest unknown` */
function shownCode(code: string): string {
  return code.replaceAll('_', ' ').toLowerCase();
}

/** `120` or a date (source: RFC 9110, section 10.2.3); null for none. */
function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
