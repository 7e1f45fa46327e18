/**
 * Reading a JSON object field by field. Absent, null and a zero value mean "not given", as they do for a Go server, whose
 * clients send every field of a struct. Names are found in any case, and a wrong type is refused in the words that clients
 * know (source: Go's encoding/json).
 */
import { invalid } from '../model/errors.ts';

export class Fields {
  readonly #where: string;
  readonly #values: Readonly<Record<string, unknown>>;
  /** Names in lower case, made when a name is not there as it is written. */
  #folded: ReadonlyMap<string, unknown> | null = null;

  /** `where`: what stands before a field's name in an error; empty for the body itself. */
  constructor(where: string, values: Readonly<Record<string, unknown>>) {
    this.#where = where;
    this.#values = values;
  }

  text(name: string): string {
    return this.#read(name, 'string', (value) => typeof value === 'string') ?? '';
  }

  flag(name: string): boolean {
    return this.#read(name, 'bool', (value) => typeof value === 'boolean') ?? false;
  }

  /** Null when absent or null: where false says something. */
  flagOrNull(name: string): boolean | null {
    return this.#read(name, 'bool', (value) => typeof value === 'boolean');
  }

  /** Null when absent, null or zero. */
  integer(name: string): number | null {
    return this.integerOrZero(name) || null;
  }

  /** Null when absent or null: where zero says something. */
  integerOrZero(name: string): number | null {
    return this.#read<number>(name, 'int64', (given) => Number.isInteger(given) && Math.abs(Number(given)) < 2 ** 63);
  }

  /** Null when absent, null or zero. */
  unsigned(name: string, bits: 16 | 64): number | null {
    const fits = (given: unknown): boolean =>
      Number.isInteger(given) && Number(given) >= 0 && Number(given) < 2 ** bits;
    return this.#read<number>(name, `uint${bits}`, fits) || null;
  }

  texts(name: string): readonly string[] {
    return this.#read<readonly string[]>(name, '[]string', isTextList) ?? [];
  }

  /** Null when absent or null: where an empty list says something. */
  textsOrNull(name: string): readonly string[] | null {
    return this.#read<readonly string[]>(name, '[]string', isTextList);
  }

  /** A list of strings, or one string that stands for a list of one; null when absent (an empty list is something else here). */
  words(name: string): readonly string[] | null {
    const value = this.raw(name);
    if (value === undefined || value === null) return null;
    if (typeof value === 'string') return [value];
    if (!isTextList(value))
      throw invalid(`invalid JSON: json: cannot unmarshal ${goKind(value)} into Go value of type string`);
    return value;
  }

  textMap(name: string): Readonly<Record<string, string>> {
    const isMap = (value: unknown): boolean =>
      isObject(value) && Object.values(value).every((item) => typeof item === 'string');
    return this.#read<Record<string, string>>(name, 'map[string]string', isMap) ?? {};
  }

  /** Keys of an object whose values mean nothing (`ExposedPorts`, `Volumes`). */
  keys(name: string): readonly string[] {
    return Object.keys(this.#read<object>(name, 'map[string]struct {}', isObject) ?? {});
  }

  /** `type`: the Go type that an error names. */
  object(name: string, type = 'object'): Fields {
    return new Fields(`${this.#where}.${name}`, this.#read<Record<string, unknown>>(name, type, isObject) ?? {});
  }

  /** Objects in a list; null ones are passed over. */
  objects(name: string, type = '[]object'): readonly Fields[] {
    const list = this.#read<readonly unknown[]>(
      name,
      type,
      (value) => Array.isArray(value) && value.every((item) => item === null || isObject(item)),
    );
    return (list ?? []).flatMap((item, index) =>
      isObject(item) ? [new Fields(`${this.#where}.${name}.${index}`, item)] : [],
    );
  }

  names(): readonly string[] {
    return Object.keys(this.#values);
  }

  /** True unless absent or a zero value: null, false, 0, an empty string, list or object. */
  isGiven(name: string): boolean {
    const value = this.raw(name);
    if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
    return typeof value !== 'object' || Object.keys(value).length > 0;
  }

  raw(name: string): unknown {
    if (Object.hasOwn(this.#values, name)) return this.#values[name];
    this.#folded ??= new Map(Object.entries(this.#values).map(([key, value]) => [key.toLowerCase(), value]));
    return this.#folded.get(name.toLowerCase());
  }

  #read<T>(name: string, type: string, is: (value: unknown) => boolean): T | null {
    const value = this.raw(name);
    if (value === undefined || value === null) return null;
    if (!is(value)) {
      const shown = typeof value === 'number' && /^u?int/.test(type) ? `number ${value}` : goKind(value);
      throw invalid(
        `invalid JSON: json: cannot unmarshal ${shown} into Go struct field ${this.#where}.${name} of type ${type}`,
      );
    }
    return value as T;
  }
}

/** What Go calls a JSON value that does not fit. */
function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
