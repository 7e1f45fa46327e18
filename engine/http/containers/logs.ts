import { once } from 'node:events';
import { frameHeader } from '../../../api/framing.ts';
import type { Container } from '../../containers/container.ts';
import { logPlan } from '../../containers/log-file.ts';
import type { Parts } from '../../containers/parts.ts';
import { readLogs } from '../../logs/read-logs.ts';
import { conflict, invalid, notImplemented } from '../../model/errors.ts';
import { formatInstant, type Instant, parseInstant, parseUnixTime } from '../../model/time.ts';
import type { Exchange } from '../exchange.ts';
import { multiplexedStream, rawStream } from '../hijack.ts';
import type { Route } from '../router.ts';

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
  if (plan.driver === 'none') throw notImplemented('configured logging driver does not support reading');
  const isFollowing = exchange.flag('follow') && state.status === 'running';
  const withTime = exchange.flag('timestamps');
  const ended = new AbortController();
  if (isFollowing) {
    void container.wait('not-running', exchange.signal).then(
      () => ended.abort(),
      () => ended.abort(),
    );
  }
  const records = readLogs({
    plan,
    streams,
    tail: tailOf(exchange.query.get('tail')),
    since: timeOf(exchange, 'since'),
    until: timeOf(exchange, 'until'),
    follow: isFollowing ? { containerEnded: ended.signal } : null,
    signal: exchange.signal,
  });
  const isFramed = !spec.process.hasTerminal;
  const response = exchange.startStream(isFramed && exchange.isSince('1.42') ? multiplexedStream : rawStream);
  for await (const { stream, time, payload, startsLine } of records) {
    const line = withTime && startsLine ? Buffer.concat([Buffer.from(`${formatInstant(time)} `), payload]) : payload;
    if (isFramed) {
      response.cork();
      response.write(frameHeader(stream, line.length));
      const hasRoom = response.write(line);
      response.uncork();
      if (!hasRoom) await once(response, 'drain', { signal: exchange.signal });
    } else if (!response.write(line)) await once(response, 'drain', { signal: exchange.signal });
  }
  response.end();
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
