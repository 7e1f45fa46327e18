/** The tags of a repository, or the repositories of a registry, page by page (source: OCI distribution spec, "Listing Tags"). */
import { EngineError } from '../model/errors.ts';
import type { Answer, Wire } from './wire.ts';

export interface PageAnswer {
  readonly answer: Answer;
  readonly wire: Wire;
  readonly signal: AbortSignal;
  readonly name: string;
  readonly field: 'tags' | 'repositories';
}

const mostPageBytes = 8 * 1024 * 1024;
const mostPages = 10_000;

/** `fetch` gets the first target (`v2/…/tags/list?n=1000`), and then what each page names as the next one. */
export async function* listPages(
  first: string,
  fetch: (target: string) => Promise<PageAnswer>,
): AsyncGenerator<readonly string[], void, void> {
  let target: string | null = first;
  for (let page = 0; target !== null; page += 1) {
    const { answer, wire, signal, name, field }: PageAnswer = await fetch(target);
    const broken = (why: string): EngineError => new EngineError('internal', `the list of ${field} of ${name} ${why}`);
    if (page === mostPages) throw broken('has no end');
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of wire.bytes(answer, signal)) {
      size += chunk.length;
      if (size > mostPageBytes) throw broken(`has a page of more than ${mostPageBytes} bytes`);
      chunks.push(chunk);
    }
    const names = namesIn(Buffer.concat(chunks).toString('utf8'), field);
    if (names === null) throw broken('cannot be understood');
    yield names;
    const next = nextPage(answer);
    if (next === target) throw broken('names the same page as the next one');
    target = next;
  }
}

/** Null for another form. A repository whose tags are all gone says null. */
function namesIn(text: string, field: PageAnswer['field']): readonly string[] | null {
  try {
    const names = (JSON.parse(text) as Readonly<Record<string, unknown>> | null)?.[field];
    if (names === null || names === undefined) return [];
    return Array.isArray(names) && names.every((name): name is string => typeof name === 'string') ? names : null;
  } catch {
    return null; // the caller names the repository
  }
}

/** `Link: </v2/…?last=…>; rel="next"`. Only its path and query count: another host is never asked. */
function nextPage({ headers, url }: Answer): string | null {
  const link = Array.isArray(headers.link) ? headers.link.join(', ') : headers.link;
  const target = /<([^>]*)>\s*;[^,]*rel="?next"?/i.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, url.href)) return null;
  const next = new URL(target, url);
  const start = next.pathname.indexOf('/v2/');
  return start === -1 ? null : `${next.pathname.slice(start + 1)}${next.search}`;
}
