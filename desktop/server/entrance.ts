/**
 * Who may come in. The server prints an address with a one-time token; the first browser that opens it gets a session in a
 * cookie, and the token is worth nothing from then on.
 *
 * The token travels in the query, not in the fragment: a fragment never reaches the server, so exchanging one takes a script
 * on a page that anybody may load, while a query is exchanged by the very first request and gone from the address bar with
 * the redirect. What a query leaves behind (history, a proxy's log) is a token already used.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const secretBytes = 32;
/** Tokens that were handed out and not used; more than anybody opens by hand. */
const mostTokens = 32;

export class Entrance {
  readonly #cookieName: string;
  /** Digests only: comparing those in constant time needs no equal lengths, and a heap dump holds no key. */
  #tokens: Buffer[] = [];
  #sessions: Buffer[] = [];

  /** Cookies do not know ports: without the port in its name, two servers on one computer would sign each other out. */
  constructor(port: number) {
    this.#cookieName = `skiff-session-${port}`;
  }

  /** A token that opens the entrance once. */
  issueToken(): string {
    const token = secret();
    this.#tokens = [...this.#tokens, digestOf(token)].slice(-mostTokens);
    return token;
  }

  /** The value of a Set-Cookie header for a token that was still good, or null; the token is used up by asking. */
  exchange(token: string): string | null {
    const found = indexOfSecret(this.#tokens, token);
    if (found < 0) return null;
    this.#tokens = this.#tokens.toSpliced(found, 1);
    const session = secret();
    this.#sessions = [...this.#sessions, digestOf(session)];
    // Not `Secure`: the page comes from loopback without TLS, and some browsers then refuse such a cookie.
    return `${this.#cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  /** Whether a request's Cookie header holds a session of this server. */
  isKnown(cookieHeader: string | undefined): boolean {
    if (cookieHeader === undefined) return false;
    const prefix = `${this.#cookieName}=`;
    const values = cookieHeader.split(/; */).filter((pair) => pair.startsWith(prefix));
    return values.some((pair) => indexOfSecret(this.#sessions, pair.slice(prefix.length)) >= 0);
  }
}

function secret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Looks at all of them, however early one fits. */
function indexOfSecret(digests: readonly Buffer[], text: string): number {
  const wanted = digestOf(text);
  return digests.reduce((found, digest, index) => (timingSafeEqual(digest, wanted) ? index : found), -1);
}
