import { Refusal } from './refusal.ts';

/** What a parameter holds: text, a number, a switch, or objects that an earlier cmdlet gave. */
export type Kind = 'text' | 'integer' | 'switch' | 'object';

export interface Given {
  readonly text: (name: string) => string;
  readonly integer: (name: string) => number;
  readonly has: (name: string) => boolean;
  readonly object: (name: string) => unknown;
}

/** Binds a cmdlet's parameters as PowerShell does: one that it does not have is refused, as is a value of another kind. */
export function bind(values: Readonly<Record<string, unknown>>, known: Readonly<Record<string, Kind>>): Given {
  for (const [name, value] of Object.entries(values)) {
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined)
      throw new Refusal('NamedParameterNotFound', `A parameter cannot be found that matches parameter name '${name}'.`);
    const isFit = {
      text: typeof value === 'string',
      integer: Number.isSafeInteger(value),
      switch: value === true,
      object: true,
    };
    if (!isFit[kind])
      throw new Refusal('CannotConvertArgumentNoMessage', `Cannot convert the value of parameter '${name}'.`);
  }
  const wanted = (name: string): unknown => {
    if (!Object.hasOwn(values, name))
      throw new Refusal(
        'MissingMandatoryParameter',
        `Cannot process command because of a missing mandatory parameter: ${name}.`,
      );
    return values[name];
  };
  return {
    text: (name) => String(wanted(name)),
    integer: (name) => Number(wanted(name)),
    has: (name) => Object.hasOwn(values, name),
    object: wanted,
  };
}
