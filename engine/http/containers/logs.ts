import { once } from 'node:events';
import type { Container } from '../../containers/container.ts';
import { logPlan } from '../../containers/logs/log-file.ts';
import type { Parts } from '../../containers/parts.ts';
import { countsAsRunning } from '../../containers/state.ts';
import { readableFiles } from '../../logs/log-plan.ts';
import { readLogs } from '../../logs/read-logs.ts';
import { conflict, invalid, notImplemented } from '../../model/errors.ts';
import { type Instant, parseInstant, parseUnixTime } from '../../model/time.ts';
import type { Exchange } from '../exchange.ts';
import { multiplexedStream, rawStream } from '../hijack.ts';
import type { Route } from '../router.ts';
import { logOutput } from './log-output.ts';

export function logsRoute(parts: Parts): Route {
  return {
    method: 'GET',
    path: '/containers/:id/logs',
    handle: (exchange) => logs(parts, exchange, parts.directory.find(exchange.param('id'))),
  };
}

async function logs(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const { state, spec, id } = container;
  const streams = (['stdout', 'stderr'] as const).filter((stream) => exchange.flag(stream));
  if (streams.length === 0) throw invalid('Bad parameters: you must choose at least one stream');
  if (state.status === 'removing' || state.status === 'dead')
    throw conflict('can not get logs from container which is dead or marked for removal');
  const plan = logPlan(container, parts.roots.get(id).folder);
  if (readableFiles(plan) === null) throw notImplemented('configured logging driver does not support reading');
  const isFollowing = exchange.flag('follow') && countsAsRunning(state);
  const records = readLogs({
    plan,
    streams,
    tail: tailOf(exchange.query.get('tail')),
    since: timeOf(exchange, 'since'),
    until: timeOf(exchange, 'until'),
    follow: isFollowing ? { containerEnded: endOf(container, exchange.signal) } : null,
    signal: exchange.signal,
  });
  const isFramed = !spec.process.hasTerminal;
  const output = { isFramed, withTime: exchange.flag('timestamps'), withDetails: exchange.flag('details') };
  const response = exchange.startStream(isFramed && exchange.isSince('1.42') ? multiplexedStream : rawStream);
  for await (const batch of records) {
    if (response.write(logOutput(batch, output))) continue;
    await once(response, 'drain', { signal: exchange.signal });
  }
  response.end();
}

/** Aborted when it has ended for good: a container that its policy starts again goes on writing. */
function endOf(container: Container, signal: AbortSignal): AbortSignal {
  const ended = new AbortController();
  void container.wait('at-rest', signal).then(
    () => ended.abort(),
    () => ended.abort(),
  );
  return ended.signal;
}

/** Anything that is no number means all, as for docker. */
function tailOf(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}

function timeOf(exchange: Exchange, name: string): Instant | null {
  const text = exchange.query.get(name);
  if (text === null || text === '' || text === '0') return null;
  const time = parseUnixTime(text) ?? parseInstant(text);
  if (time === null)
    throw invalid(`invalid value for "${name}": expected unix seconds or an RFC 3339 time, not "${text}"`);
  return time;
}
