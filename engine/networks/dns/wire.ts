/**
 * What skiffd and the name server say to each other over a unix socket (0600, below the exec root): a line of JSON each. The server
 * greets with its build; then come requests with a number, answered with the same number.
 */
import type { ContainerId } from '../../model/ids.ts';
import type { NamedContainer } from './named-container.ts';

export interface Greeting {
  readonly build: string;
  readonly pid: number;
}

export type Call =
  | { readonly op: 'put'; readonly container: NamedContainer }
  | { readonly op: 'drop'; readonly id: ContainerId }
  /** All that there are: others are dropped. */
  | { readonly op: 'replace'; readonly containers: readonly NamedContainer[] }
  | { readonly op: 'end' };

export type Request = Call & { readonly seq: number };

/** `failed`: what could not be done, for the log; names that are known elsewhere work nevertheless. */
export interface Answer {
  readonly seq: number;
  readonly failed: readonly string[];
}
