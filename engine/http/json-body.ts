import { invalid } from '../model/errors.ts';

/**
 * A request's JSON as an object; `null` is an empty one. Refused in Go's words, which people look up: a text that ends too
 * early, one that goes on after its end, and anything that is no object.
 */
export function parseJsonBody(text: string): Record<string, unknown> {
  if (text.trim() === '') throw invalid('invalid JSON: got EOF while reading request body');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(reasonOf(text, error instanceof Error ? error.message : String(error)), { cause: error });
  }
  if (parsed === null) return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    const kind = Array.isArray(parsed) ? 'array' : typeof parsed === 'boolean' ? 'bool' : typeof parsed;
    throw invalid(`invalid JSON: json: cannot unmarshal ${kind} into an object`);
  }
  return parsed as Record<string, unknown>;
}

function reasonOf(text: string, said: string): string {
  if (said.includes('after JSON')) return 'unexpected content after JSON';
  const at = /at position (\d+)/.exec(said)?.[1];
  const isCutOff = at === undefined ? said.includes('end of JSON input') : Number(at) >= text.trimEnd().length;
  return isCutOff || said.startsWith('Unterminated string') ? 'invalid JSON: unexpected EOF' : `invalid JSON: ${said}`;
}
