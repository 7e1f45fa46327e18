import { EngineUnreachable } from './errors.ts';

type FieldType = 'string' | 'number' | 'object' | 'array';

/**
 * Parses an answer and checks the fields that this program relies on; the rest is trusted to be what the API says. It is
 * the one place where the wire becomes typed. Throws EngineUnreachable (`protocol`) naming the field that is wrong.
 */
export function answerOf<T>(text: string, what: string, fields: { readonly [K in keyof T]?: FieldType }): T {
  return shapeOf(parseJson(text, what), what, fields);
}

export function listOf<T>(text: string, what: string, fields: { readonly [K in keyof T]?: FieldType }): readonly T[] {
  const value = parseJson(text, what);
  if (!Array.isArray(value)) throw new EngineUnreachable('protocol', `${what}: the engine's answer is not a list`);
  return value.map((item: unknown) => shapeOf(item, what, fields));
}

export function shapeOf<T>(value: unknown, what: string, fields: { readonly [K in keyof T]?: FieldType }): T {
  if (typeof value !== 'object' || value === null) {
    throw new EngineUnreachable('protocol', `${what}: the engine's answer is not an object`);
  }
  const found = value as Readonly<Record<string, unknown>>;
  for (const [name, type] of Object.entries(fields)) {
    const field = found[name];
    const isRight = type === 'array' ? Array.isArray(field) : typeof field === type && field !== null;
    if (!isRight) {
      throw new EngineUnreachable('protocol', `${what}: ${name} of the engine's answer is not a ${String(type)}`);
    }
  }
  return value as T;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EngineUnreachable('protocol', `${what}: the engine's answer is not JSON`, { cause: error });
  }
}
