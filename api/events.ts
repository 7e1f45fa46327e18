/** One event (source: Engine API, `GET /events`). `status`, `id` and `from` are sent to clients older than 1.52 only. */
export interface EngineEvent {
  readonly Type: 'container' | 'image' | 'network' | 'volume' | 'daemon';
  /** `create`, `start`, `die`, `destroy`, …; health is `health_status: healthy`. */
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  /** Unix seconds. */
  readonly time: number;
  /** Unix nanoseconds: more than a double holds exactly, so only ever printed. */
  readonly timeNano: number;
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
}
