import { call } from './api.ts';

export interface SeenEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly time: number;
}

/** What has happened until now and passes the filters; an engine remembers its last 256 events. */
export async function pastEvents(
  socket: string,
  filters: Readonly<Record<string, readonly string[]>>,
): Promise<readonly SeenEvent[]> {
  // A whole millisecond has a last nanosecond: what happened in this one counts too.
  const query = `since=0&until=${((Date.now() + 1) / 1000).toFixed(3)}&filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const { text } = await call(socket, 'GET', `/events?${query}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SeenEvent);
}

/** Actions of one container, oldest first. */
export async function actionsOf(socket: string, container: string): Promise<readonly string[]> {
  return (await pastEvents(socket, { container: [container], type: ['container'] })).map(({ Action }) => Action);
}
