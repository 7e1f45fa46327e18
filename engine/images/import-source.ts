/** What an import reads from the web. Nothing of the engine's goes along: no credentials, no cookies. */
import http from 'node:http';
import https from 'node:https';
import { invalid, internal } from '../model/errors.ts';

const mostRedirects = 10;
const headersMs = 30_000;
/** Between two pieces. */
const stallMs = 60_000;

/** Throws `invalid` for what is no URL of the web or answers with an error, `internal` when the line breaks. */
export async function* downloaded(text: string, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  let url = urlOf(text);
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await answer(url, signal);
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      response.destroy();
      url = urlOf(new URL(headers.location, url).href);
      continue;
    }
    if (statusCode !== 200) {
      response.destroy();
      throw invalid(`failed to GET ${text} with status ${statusCode} ${response.statusMessage ?? ''}`);
    }
    yield* response as AsyncIterable<Buffer>;
    if (!response.complete) throw internal(`${text} ends too early`);
    return;
  }
  throw invalid(`${text}: more than ${mostRedirects} redirects`);
}

function urlOf(text: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw invalid(`${JSON.stringify(text)} is no address to import from: expected http:// or https://, or "-"`);
  return url;
}

async function answer(url: URL, signal: AbortSignal): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  const client = url.protocol === 'https:' ? https : http;
  const request = client.get(url, { signal, timeout: headersMs }, (response) => {
    response.setTimeout(stallMs, () => response.destroy(internal(`${url.host} sent nothing for ${stallMs} ms`)));
    resolve(response);
  });
  request.on('timeout', () => request.destroy(internal(`${url.host} did not answer within ${headersMs} ms`)));
  request.on('error', (error) => reject(internal(`Get "${url.href}": ${error.message}`, { cause: error })));
  return promise;
}
