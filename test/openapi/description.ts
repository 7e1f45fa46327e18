/** An OpenAPI description, read: its operations, and whether a value is what a schema says. */
type Json = Readonly<Record<string, unknown>>;

export interface Operation {
  readonly method: string;
  /** As it stands: `/images/{name}/tree`. */
  readonly path: string;
  readonly body: Json;
}

const methods = ['get', 'head', 'post', 'put', 'delete'];

export class Description {
  readonly #root: Json;

  constructor(root: unknown) {
    this.#root = objectOf(root);
  }

  operations(): readonly Operation[] {
    return Object.entries(objectOf(this.#root['paths'])).flatMap(([path, item]) =>
      Object.entries(objectOf(item))
        .filter(([method]) => methods.includes(method))
        .map(([method, body]) => ({ method: method.toUpperCase(), path, body: objectOf(body) })),
    );
  }

  /** The schema of an operation's JSON answer. */
  answerOf(method: string, path: string, status: number): Json {
    const operation = this.operations().find((one) => one.method === method && one.path === path);
    const responses = objectOf(operation?.body['responses']);
    const response = this.resolve(responses[String(status)] ?? responses['default']);
    return objectOf(objectOf(objectOf(response['content'])['application/json'])['schema']);
  }

  /** Follows `$ref`. Throws for one that leads nowhere. */
  resolve(value: unknown): Json {
    const found = objectOf(value);
    const reference = found['$ref'];
    if (typeof reference !== 'string') return found;
    let target: unknown = this.#root;
    for (const part of reference.replace('#/', '').split('/')) target = objectOf(target)[part];
    if (target === undefined) throw new Error(`${reference} leads nowhere`);
    return this.resolve(target);
  }

  /** What is wrong with a value, each with its place; nothing when it is what the schema says. */
  problems(schema: unknown, value: unknown, place = 'answer'): readonly string[] {
    const rules = this.resolve(schema);
    const oneOf = rules['oneOf'];
    if (Array.isArray(oneOf)) {
      const all = oneOf.map((one: unknown) => this.problems(one, value, place));
      return all.some((found) => found.length === 0) ? [] : [`${place}: ${all.flat().join(' or ')}`];
    }
    const types = [rules['type'] ?? []].flat();
    if (types.length > 0 && !types.some((type) => isOfType(value, String(type))))
      return [`${place}: ${JSON.stringify(value)} is no ${types.join(' or ')}`];
    const allowed = rules['enum'];
    if (Array.isArray(allowed) && !allowed.includes(value)) return [`${place}: ${JSON.stringify(value)} is unknown`];
    if (Array.isArray(value))
      return value.flatMap((item: unknown, at) => this.problems(rules['items'] ?? {}, item, `${place}[${at}]`));
    return typeof value === 'object' && value !== null ? this.#inside(rules, objectOf(value), place) : [];
  }

  #inside(rules: Json, value: Json, place: string): readonly string[] {
    const properties = objectOf(rules['properties'] ?? {});
    const required = [rules['required'] ?? []].flat().map(String);
    return [
      ...required.filter((name) => !(name in value)).map((name) => `${place}.${name} is missing`),
      ...Object.entries(value).flatMap(([name, item]) => {
        if (name in properties) return this.problems(properties[name], item, `${place}.${name}`);
        return rules['additionalProperties'] === false ? [`${place}.${name} is not described`] : [];
      }),
    ];
  }
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
