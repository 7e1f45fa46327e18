import { invalid } from '../../model/errors.ts';

/**
 * A part of the query as the bytes that it stands for: a file's name need not be UTF-8, and `URLSearchParams` would put
 * U+FFFD in the place of what is none. A byte string (one character a byte); null when absent. Throws `invalid` for a broken escape.
 */
export function byteQuery(url: string, name: string): string | null {
  const query = url.split('?')[1] ?? '';
  for (const part of query.split('&')) {
    const at = part.indexOf('=');
    if (at === -1 || part.slice(0, at) !== name) continue;
    return decodeBytes(part.slice(at + 1), name);
  }
  return null;
}

function decodeBytes(text: string, name: string): string {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) throw invalid(`${name}: a "%" must be followed by two hexadecimal digits`);
  const bytes = text
    .replaceAll('+', ' ')
    .split(/(%[0-9a-fA-F]{2})/)
    .map((piece) =>
      /^%[0-9a-fA-F]{2}$/.test(piece) ? Buffer.from([parseInt(piece.slice(1), 16)]) : Buffer.from(piece, 'utf8'),
    );
  const decoded = Buffer.concat(bytes).toString('latin1');
  if (decoded.includes('\0')) throw invalid(`${name}: a path has no NUL`);
  return decoded;
}
