/** Archives in POSIX ustar form (IEEE Std 1003.1, pax): a 512-byte header and the content in whole blocks. Owners are root, times zero. */

const blockBytes = 512;
const typeFlags = { file: '0', link: '2', folder: '5' } as const;

export interface TarEntry {
  /** A folder's ends with a slash. */
  readonly name: string;
  readonly kind: keyof typeof typeFlags;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of a link. */
  readonly target?: string;
}

export function tarHeader({ name, kind, mode, sizeBytes, target = '' }: TarEntry): Buffer {
  const { prefix, rest } = splitName(name);
  if (Buffer.byteLength(target) > 100) throw new Error(`a ustar link of more than 100 bytes: ${target}`);
  const header = Buffer.alloc(blockBytes);
  header.write(rest, 0, 100);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(sizeBytes, 11), 124);
  header.write(octal(0, 11), 136);
  header.write('        ', 148);
  header.write(typeFlags[kind], 156);
  header.write(target, 157, 100);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(prefix, 345, 155);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return header;
}

/** A name of more than 100 bytes is parted at a slash. */
function splitName(name: string): { readonly prefix: string; readonly rest: string } {
  if (Buffer.byteLength(name) <= 100) return { prefix: '', rest: name };
  for (let slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) {
    const [prefix, rest] = [name.slice(0, slash), name.slice(slash + 1)];
    if (Buffer.byteLength(prefix) <= 155 && rest !== '' && Buffer.byteLength(rest) <= 100) return { prefix, rest };
  }
  throw new Error(`a ustar name of more than 100 bytes: ${name}`);
}

/** What makes a content whole blocks. */
export function tarPadding(sizeBytes: number): Buffer {
  const rest = sizeBytes % blockBytes;
  return Buffer.alloc(rest === 0 ? 0 : blockBytes - rest);
}

/** Two empty blocks end an archive. */
export const tarEnd = Buffer.alloc(2 * blockBytes);

/** One file as a whole. */
export function tarMember({ name, mode, data }: { name: string; mode: number; data: Buffer }): readonly Buffer[] {
  return [tarHeader({ name, kind: 'file', mode, sizeBytes: data.length }), data, tarPadding(data.length)];
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
