/**
 * Reading a JSON object field by field. Absent, null and a zero value mean "not given", as they do for a Go server, whose
 * clients send every field of a struct. A wrong type is refused in the words that clients know.
 */
import { invalid } from '../model/errors.ts';

export class Fields {
  readonly #where: string;
  readonly #values: Readonly<Record<string, unknown>>;

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

  /** Null when absent, null or zero. */
  integer(name: string): number | null {
    const value = this.#read<number>(name, 'int64', (given) => Number.isSafeInteger(given));
    return value === null || value === 0 ? null : value;
  }

  texts(name: string): readonly string[] {
    return this.#read<readonly string[]>(name, '[]string', isTextList) ?? [];
  }

  /** A list of strings, or one string that stands for a list of one; null when absent (an empty list is something else here). */
  words(name: string): readonly string[] | null {
    const value = this.#values[name];
    if (typeof value === 'string') return [value];
    return this.#read<readonly string[]>(name, 'strslice.StrSlice', isTextList);
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

  object(name: string): Fields {
    return new Fields(`${this.#where}.${name}`, this.#read<Record<string, unknown>>(name, 'object', isObject) ?? {});
  }

  /** Objects in a list. */
  objects(name: string): readonly Fields[] {
    const list = this.#read<readonly Record<string, unknown>[]>(
      name,
      '[]object',
      (value) => Array.isArray(value) && value.every(isObject),
    );
    return (list ?? []).map((item) => new Fields(`${this.#where}.${name}`, item));
  }

  names(): readonly string[] {
    return Object.keys(this.#values);
  }

  /** True unless absent or a zero value: null, false, 0, an empty string, list or object. */
  isGiven(name: string): boolean {
    const value = this.#values[name];
    if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
    return typeof value !== 'object' || Object.keys(value).length > 0;
  }

  raw(name: string): unknown {
    return this.#values[name];
  }

  #read<T>(name: string, type: string, is: (value: unknown) => boolean): T | null {
    const value = this.#values[name];
    if (value === undefined || value === null) return null;
    if (!is(value)) {
      const given = Array.isArray(value) ? 'array' : typeof value;
      throw invalid(`invalid JSON: cannot unmarshal ${given} into field ${this.#where}.${name} of type ${type}`);
    }
    return value as T;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
