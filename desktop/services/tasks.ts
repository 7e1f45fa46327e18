/** What is under way in the whole app, in one line each: the status bar and the tray show it. */
import type { Task } from '../contract/app.ts';
import type { Clock } from './clock.ts';
import { errorShapeOf } from './failures.ts';
import { LiveList } from './lists/live-list.ts';

/** Ended tasks that are still listed, so that a page that was opened later sees what failed. */
const endedKept = 20;

export type Tell = (progress: { readonly fraction?: number | null; readonly detail?: string | null }) => void;

export class Tasks {
  readonly list = new LiveList<Task, string>({ keyOf: ({ id }) => id, keyText: (id) => id });
  readonly #clock: Clock;
  readonly #ended: string[] = [];
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lists `work` as a task for as long as it runs; its result and its error pass through. */
  async run<T>(
    about: { readonly title: string; readonly machine: string | null },
    work: (tell: Tell) => Promise<T>,
  ): Promise<T> {
    this.#lastId += 1;
    const id = `task-${this.#lastId}`;
    let task: Task = {
      ...about,
      id,
      state: 'running',
      fraction: null,
      detail: null,
      startedAt: this.#clock.now(),
      error: null,
    };
    const put = (change: Partial<Task>): void => this.list.set((task = { ...task, ...change }));
    put({});
    try {
      const result = await work((progress) => put(progress));
      put({ state: 'done', fraction: 1, detail: null });
      return result;
    } catch (error) {
      put({ state: 'failed', error: errorShapeOf(error) });
      throw error;
    } finally {
      this.#ended.push(id);
      const oldest = this.#ended.length > endedKept ? this.#ended.shift() : undefined;
      if (oldest !== undefined) this.list.delete(oldest);
    }
  }
}
