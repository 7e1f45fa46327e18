/** The tags of a repository, page by page (source: OCI distribution spec, "Listing Tags"). */
import { EngineError } from '../model/errors.ts';
import type { Answer, Wire } from './wire.ts';

export interface TagAnswer {
  readonly answer: Answer;
  readonly wire: Wire;
  readonly signal: AbortSignal;
  readonly name: string;
}

const mostPageBytes = 8 * 1024 * 1024;
const mostPages = 10_000;

/** `fetch` gets `v2/…/tags/list?n=1000`, and then what each page names as the next one. */
export async function* tagPages(
  first: string,
  fetch: (target: string) => Promise<TagAnswer>,
): AsyncGenerator<readonly string[], void, void> {
  let target: string | null = first;
  for (let page = 0; target !== null; page += 1) {
    const { answer, wire, signal, name }: TagAnswer = await fetch(target);
    const broken = (why: string): EngineError => new EngineError('internal', `the list of tags of ${name} ${why}`);
    if (page === mostPages) throw broken('has no end');
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of wire.bytes(answer, signal)) {
      size += chunk.length;
      if (size > mostPageBytes) throw broken(`has a page of more than ${mostPageBytes} bytes`);
      chunks.push(chunk);
    }
    const tags = tagsIn(Buffer.concat(chunks).toString('utf8'));
    if (tags === null) throw broken('cannot be understood');
    yield tags;
    const next = nextPage(answer);
    if (next === target) throw broken('names the same page as the next one');
    target = next;
  }
}

/** Null for another form. A repository whose tags are all gone says null. */
function tagsIn(text: string): readonly string[] | null {
  try {
    const { tags } = JSON.parse(text) as { readonly tags?: unknown };
    if (tags === null || tags === undefined) return [];
    return Array.isArray(tags) && tags.every((tag): tag is string => typeof tag === 'string') ? tags : null;
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
