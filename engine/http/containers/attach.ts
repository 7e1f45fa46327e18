/** Joins the client's connection to the container's streams, which the monitor holds; the engine only passes bytes on. */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { publishContainerEvent } from '../../containers/container-events.ts';
import type { Container } from '../../containers/container.ts';
import { logPlan } from '../../containers/logs/log-file.ts';
import type { Parts } from '../../containers/parts.ts';
import { readableFiles } from '../../logs/log-plan.ts';
import { readLogs } from '../../logs/read-logs.ts';
import { conflict } from '../../model/errors.ts';
import type { Instant } from '../../model/time.ts';
import type { Attachment, StreamName } from '../../monitor/monitor.ts';
import type { Exchange } from '../exchange.ts';
import { hijack } from '../hijack.ts';
import { detachKeysOf, joinStreams } from '../join-streams.ts';
import type { Route } from '../router.ts';
import { takeWebSocket } from '../web-socket.ts';
import { logOutput } from './log-output.ts';

export function attachRoutes(parts: Parts): readonly Route[] {
  const find = (exchange: Exchange): Container => parts.directory.find(exchange.param('id'));
  return [
    {
      method: 'POST',
      path: '/containers/:id/attach',
      upgrades: 'tcp',
      handle: (exchange) => attach(parts, exchange, find(exchange), 'hijack'),
    },
    {
      method: 'GET',
      path: '/containers/:id/attach/ws',
      upgrades: 'websocket',
      handle: (exchange) => attach(parts, exchange, find(exchange), 'websocket'),
    },
  ];
}

async function attach(
  parts: Parts,
  exchange: Exchange,
  container: Container,
  door: 'hijack' | 'websocket',
): Promise<void> {
  assertAttachable(container);
  const { spec, state, id } = container;
  const { hasTerminal, isStdinOpen } = spec.process;
  const detachKeys = detachKeysOf(exchange.query.get('detachKeys') ?? '');
  const wants = wantedStreams(exchange, door);
  await exchange.dropBody();
  // Before the status line: a client that sees it may start the container at once, and must not lose the first byte.
  // `docker run image | slow` attaches before the start: it is the container's pipe, and loses nothing. Who attaches to a
  // running container only looks on, and must not hold it up.
  const whenSlow = state.status === 'running' ? 'drop' : 'wait';
  await using attachment = exchange.flag('stream') ? await parts.monitor.attach({ id, wants, whenSlow }) : null;
  const connection =
    door === 'hijack'
      ? hijack(exchange, { isFramed: !hasTerminal })
      : await takeWebSocket(exchange, { isFramed: !hasTerminal });
  if (exchange.flag('logs')) await replay(parts, { exchange, container, connection, wants, attachment });
  if (attachment !== null) {
    publishContainerEvent(parts, container, 'attach');
    const outcome = await joinStreams({
      connection,
      stream: attachment.stream,
      hasInput: wants.includes('stdin') && isStdinOpen,
      detachKeys: hasTerminal ? detachKeys : null,
    });
    if (outcome === 'detached') publishContainerEvent(parts, container, 'detach');
  }
  connection.end();
}

function assertAttachable({ id, name, state }: Container): void {
  switch (state.status) {
    case 'removing':
    case 'dead':
      throw conflict(`container ${id} is marked for removal`);
    case 'paused':
      throw conflict(`container ${name} is paused, unpause the container before attach`);
    case 'restarting':
      throw conflict(`container ${name} is restarting, wait until the container is running`);
    case 'created':
    case 'running':
    case 'exited':
  }
}

function wantedStreams(exchange: Exchange, door: 'hijack' | 'websocket'): readonly StreamName[] {
  const all = ['stdin', 'stdout', 'stderr'] as const;
  // Before 1.42 a websocket has everything, whatever it says.
  if (door === 'websocket' && !exchange.isSince('1.42')) return all;
  return all.filter((stream) => exchange.flag(stream));
}

/** What the container has written so far; the attachment goes on where this ends. */
async function replay(
  parts: Parts,
  join: {
    readonly exchange: Exchange;
    readonly container: Container;
    readonly connection: Duplex;
    readonly wants: readonly StreamName[];
    readonly attachment: Attachment | null;
  },
): Promise<void> {
  const { container, connection, attachment } = join;
  const plan = logPlan(container, parts.roots.get(container.id).folder);
  const streams = (['stdout', 'stderr'] as const).filter((stream) => join.wants.includes(stream));
  if (readableFiles(plan) === null || streams.length === 0) return;
  const until: Instant = attachment?.loggedUntil ?? parts.now();
  const gone = new AbortController();
  connection.once('close', () => gone.abort());
  const records = readLogs({ plan, streams, tail: null, since: null, until, follow: null, signal: gone.signal });
  const output = { isFramed: !container.spec.process.hasTerminal, withTime: false, withDetails: false };
  for await (const batch of records) {
    if (connection.write(logOutput(batch, output))) continue;
    await once(connection, 'drain', { signal: gone.signal }).catch(() => undefined);
  }
}
