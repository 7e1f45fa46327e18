/** What the endpoints said when they were greeted: kept for a while, so that not each request asks again. */
import type { Challenge } from './challenges.ts';

/** A registry that is set up anew meanwhile says 401, and is listened to; this is for one that no longer asks for any proof. */
const freshMs = 10 * 60_000;

export class Contacts {
  readonly #nowMs: () => number;
  readonly #met = new Map<string, { readonly challenges: readonly Challenge[]; readonly untilMs: number }>();
  /** Endpoints that could not be reached while the next one could: an insecure registry without TLS. */
  readonly #passedOver = new Map<string, number>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  met(endpointUrl: string, challenges: readonly Challenge[]): void {
    this.#met.set(endpointUrl, { challenges, untilMs: this.#nowMs() + freshMs });
    this.#passedOver.delete(endpointUrl);
  }

  /** Null: not met lately. */
  challenges(endpointUrl: string): readonly Challenge[] | null {
    const met = this.#met.get(endpointUrl);
    return met === undefined || met.untilMs < this.#nowMs() ? null : met.challenges;
  }

  forget(endpointUrl: string): void {
    this.#met.delete(endpointUrl);
    this.#passedOver.clear();
  }

  passOver(endpointUrl: string): void {
    this.#passedOver.set(endpointUrl, this.#nowMs() + freshMs);
  }

  isPassedOver(endpointUrl: string): boolean {
    return (this.#passedOver.get(endpointUrl) ?? 0) > this.#nowMs();
  }
}
