/** Reading JSON that strangers wrote: a field is what it should be, or absent, or the document is refused by its name. */
import { invalid } from '../model/errors.ts';

/** Tells where it stands, so that an error can name the field: `config.Env`. */
export class JsonFields {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #where: string;

  /** `value` null or missing reads as an object without fields, as in Go, which most of these documents come from. */
  constructor(value: unknown, where: string) {
    if (value !== null && value !== undefined && (typeof value !== 'object' || Array.isArray(value))) {
      throw invalid(`${where}: expected an object`);
    }
    this.#value = (value ?? {}) as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  static parse(bytes: Buffer, where: string): JsonFields {
    return new JsonFields(parseJson(bytes, where), where);
  }

  /** Empty when absent. */
  text(key: string): string {
    return this.#read(key, '', (value) => typeof value === 'string', 'a string') as string;
  }

  number(key: string): number {
    return this.#read(key, 0, (value) => Number.isSafeInteger(value), 'a whole number') as number;
  }

  flag(key: string): 'set' | 'unset' {
    const isSet = this.#read(key, false, (value) => typeof value === 'boolean', 'true or false');
    return isSet === true ? 'set' : 'unset';
  }

  /** Null when absent. A string alone is a list of one, as the first images had it. */
  texts(key: string): readonly string[] | null {
    const isList = (value: unknown): boolean =>
      typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'));
    const value = this.#read(key, null, isList, 'a list of strings') as readonly string[] | string | null;
    return typeof value === 'string' ? [value] : value;
  }

  textMap(key: string): Readonly<Record<string, string>> {
    const isMap = (value: unknown): boolean =>
      typeof value === 'object' &&
      !Array.isArray(value) &&
      Object.values(value ?? {}).every((item) => typeof item === 'string');
    return this.#read(key, {}, isMap, 'an object of strings') as Readonly<Record<string, string>>;
  }

  /** Keys of an object whose values say nothing (`{"80/tcp": {}}`). */
  keys(key: string): readonly string[] {
    return Object.keys(this.fields(key).#value);
  }

  fields(key: string): JsonFields {
    return new JsonFields(this.#value[key], this.#path(key));
  }

  list(key: string): readonly JsonFields[] {
    const value = this.#read(key, [], Array.isArray, 'a list') as readonly unknown[];
    return value.map((item, index) => new JsonFields(item, `${this.#path(key)}[${index}]`));
  }

  has(key: string): boolean {
    return this.#value[key] !== undefined && this.#value[key] !== null;
  }

  #read(key: string, otherwise: unknown, isGood: (value: unknown) => boolean, what: string): unknown {
    const value = this.#value[key] ?? null;
    if (value === null) return otherwise;
    if (!isGood(value)) throw invalid(`${this.#path(key)}: expected ${what}`);
    return value;
  }

  #path(key: string): string {
    return `${this.#where}: ${key}`;
  }
}

/** Refuses what is not UTF-8: read otherwise, it would not have its digest any more when it is written again. */
export function parseJson(bytes: Buffer, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw invalid(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
