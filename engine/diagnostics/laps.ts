/** Where the time of a start went: milliseconds since the process began, at each mark, in order. */
export class Laps {
  readonly #now: () => number;
  readonly #marks: [name: string, atMs: number][] = [];

  /** `now`: milliseconds since the process began. */
  constructor(now: () => number) {
    this.#now = now;
  }

  mark(name: string): void {
    this.#marks.push([name, Math.round(this.#now())]);
  }

  /** `loaded 120, database 131, served 180`. */
  toString(): string {
    return this.#marks.map(([name, atMs]) => `${name} ${atMs}`).join(', ');
  }
}
