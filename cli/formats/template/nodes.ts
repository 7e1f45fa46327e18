/** What a template means, as a tree. `at` is a place in its text, `text` the piece that stands there. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipe: Pipe }
  | { readonly kind: 'if' | 'with'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'range'; readonly pipe: Pipe; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'break' | 'continue' }; // prettier-ignore

/** `$key, $value := command | command`. */
export interface Pipe {
  readonly variables: readonly string[];
  readonly isAssignment: boolean;
  readonly commands: readonly Command[];
  readonly at: number;
}

/** A value, or a function with its arguments. */
export interface Command {
  readonly terms: readonly [Term, ...Term[]];
  readonly text: string;
}

interface Place {
  readonly at: number;
  readonly text: string;
}

export interface FieldName {
  readonly name: string;
  readonly at: number;
}

export type Term = Place &
  (
    | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
    | { readonly kind: 'function'; readonly name: string }
    /** From the current value, a variable or a pipe in brackets; then by names. */
    | { readonly kind: 'path'; readonly from: 'dot' | { readonly variable: string } | Pipe; readonly fields: readonly FieldName[] }
  ); // prettier-ignore
