/**
 * Byte arrays inside plain data. Walking is done by hand because JSON.stringify would ask a Buffer for its `toJSON` before
 * any replacer sees it.
 */

/** Where in a value something stands: keys and indices from the root. */
export type Path = readonly (string | number)[];

/** `value` with each Uint8Array replaced; the very same value, uncopied, when it holds none. */
export function mapBytes(value: unknown, replace: (bytes: Uint8Array, path: Path) => unknown): unknown {
  return walk(value, replace, []);
}

/** `path` is one stack for the whole walk: a batch of log lines has thousands of objects, and hardly any has bytes. */
function walk(value: unknown, replace: (bytes: Uint8Array, path: Path) => unknown, path: (string | number)[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return replace(value, [...path]);
  let copy: object | null = null;
  for (const [key, item] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    if (typeof item !== 'object' || item === null) continue;
    path.push(key);
    const mapped = walk(item, replace, path);
    path.pop();
    if (mapped === item) continue;
    copy ??= Array.isArray(value) ? [...value] : { ...value };
    Reflect.set(copy, key, mapped);
  }
  return copy ?? value;
}

/** Puts `bytes` at `path`, through own properties that are there already and no others; false when there is no such place. */
export function putBytes(root: unknown, path: Path, bytes: Uint8Array): boolean {
  const last = path.at(-1);
  if (last === undefined) return false;
  let holder: unknown = root;
  for (const key of path.slice(0, -1)) {
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key)) return false;
    holder = Reflect.get(holder, key);
  }
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, last)) return false;
  if (Reflect.get(holder, last) !== null) return false;
  return Reflect.set(holder, last, bytes);
}

/**
 * The same bytes in memory of their own. A small Buffer is a window into a pool that it shares with others, and structured
 * cloning would hand the whole pool to the peer.
 */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength && bytes.constructor === Uint8Array
    ? bytes
    : Uint8Array.from(bytes);
}
