/** An error answer of the fake engine, in Docker's words. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly statusCode: number;

  constructor(statusCode: number, message: string) {
    super(message);
    this.statusCode = statusCode;
  }
}

/** `{"key":{"value":true}}` or `{"key":["value"]}`. */
export function parseFilters(text: string | null, known: readonly string[]): ReadonlyMap<string, readonly string[]> {
  if (!text) return new Map();
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'invalid filter');
  }
  if (typeof parsed !== 'object' || parsed === null) throw new Refusal(400, 'invalid filter');
  return new Map(
    Object.entries(parsed).map(([key, values]: [string, unknown]) => {
      if (!known.includes(key)) throw new Refusal(400, `invalid filter '${key}'`);
      return [key, Array.isArray(values) ? values.map(String) : Object.keys(values ?? {})];
    }),
  );
}
