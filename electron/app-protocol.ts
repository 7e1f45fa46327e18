/** Serves the built page under its own scheme: the files that were there at the start, with the headers of browser mode, and nothing else. */
import type { CustomScheme, Protocol } from 'electron';
import type { PageFiles } from '../desktop/server/page-files.ts';
import { pageHeaders } from '../desktop/server/page-headers.ts';
import { isPageUrl, pageScheme } from './page-address.ts';

/**
 * Must be registered before the app is ready. `standard` gives it an origin and relative addresses; `secure` makes the page a
 * secure context. It gets no other privilege: no service workers, no bypass of the CSP, no cross-origin reads.
 */
export const appScheme: CustomScheme = { scheme: pageScheme, privileges: { standard: true, secure: true } };

export function serveApp(protocol: Pick<Protocol, 'handle'>, files: PageFiles): void {
  protocol.handle(pageScheme, (request) => answerTo(request, files));
}

export async function answerTo(
  request: { readonly url: string; readonly method: string },
  files: PageFiles,
): Promise<Response> {
  const headers = pageHeaders(null);
  if (request.method !== 'GET' && request.method !== 'HEAD') return new Response(null, { status: 405, headers });
  // URL takes `..` out of the path; what is left is looked up by name, never joined to a folder.
  const file = isPageUrl(request.url) ? files.find(new URL(request.url).pathname) : null;
  if (!file) return new Response(null, { status: 404, headers });
  const content = new Uint8Array(await file.read());
  return new Response(request.method === 'HEAD' ? null : content, {
    headers: { ...headers, 'Content-Type': file.contentType },
  });
}
