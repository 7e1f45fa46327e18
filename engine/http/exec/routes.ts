import { finished } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import { frameHeader } from '../../../api/framing.ts';
import type { Parts } from '../../containers/parts.ts';
import type { Exec } from '../../exec/exec.ts';
import { assertRunning, attachExec, createExec, publishExecDetach, startExec } from '../../exec/start-exec.ts';
import { invalid } from '../../model/errors.ts';
import type { TerminalSize } from '../../monitor/monitor.ts';
import { Fields } from '../fields.ts';
import type { Exchange } from '../exchange.ts';
import { hijack } from '../hijack.ts';
import { detachKeysOf, joinStreams } from '../join-streams.ts';
import type { Route } from '../router.ts';
import { terminalSize } from '../terminal-size.ts';
import { presentExec } from './present-exec.ts';
import { consoleSize, readExecBody } from './read-exec-body.ts';

export function execRoutes(parts: Parts): readonly Route[] {
  const find = (exchange: Exchange): Exec => parts.execs.find(exchange.param('id'));
  return [
    { method: 'POST', path: '/containers/:id/exec', handle: (exchange) => create(parts, exchange) },
    {
      method: 'POST',
      path: '/exec/:id/start',
      upgrades: 'tcp',
      handle: (exchange) => start(parts, exchange, find(exchange)),
    },
    { method: 'POST', path: '/exec/:id/resize', handle: (exchange) => resize(parts, exchange, find(exchange)) },
    { method: 'GET', path: '/exec/:id/json', handle: (exchange) => exchange.json(200, presentExec(find(exchange))) },
  ];
}

async function create(parts: Parts, exchange: Exchange): Promise<void> {
  const spec = readExecBody(await exchange.body(), exchange);
  const exec = createExec(parts, parts.directory.find(exchange.param('id')), spec);
  exchange.json(201, { Id: exec.id });
}

async function start(parts: Parts, exchange: Exchange, exec: Exec): Promise<void> {
  const body = new Fields('ExecStartOptions', await exchange.body());
  const size = exchange.isSince('1.42') ? consoleSize(body.raw('ConsoleSize')) : null;
  assertRunning(exec.container);
  if (body.flag('Detach')) {
    await startExec(parts, exec, { isDetached: true, consoleSize: size });
    exchange.empty(200);
    return;
  }
  await attached(parts, exchange, exec, size);
}

/** The status goes out before the command runs; from then on errors are told in the stream, as docker tells them. */
async function attached(parts: Parts, exchange: Exchange, exec: Exec, size: TerminalSize | null): Promise<void> {
  const { spec } = exec;
  const isFramed = !spec.hasTerminal;
  if (exec.state.status !== 'created') {
    tell(hijack(exchange, { isFramed }), `exec command ${exec.id} has already run`, isFramed);
    return;
  }
  await using attachment = await attachExec(parts, exec);
  const connection = hijack(exchange, { isFramed });
  const joined = joinStreams({
    connection,
    stream: attachment.stream,
    hasInput: spec.attached.stdin,
    detachKeys: spec.hasTerminal ? detachKeysOf(spec.detachKeys) : null,
  });
  try {
    await startExec(parts, exec, { isDetached: false, consoleSize: size });
  } catch (error) {
    attachment.stream.destroy();
    await joined;
    tell(connection, error instanceof Error ? error.message : String(error), isFramed);
    return;
  }
  if ((await joined) === 'detached') publishExecDetach(parts, exec);
  // Who sees the end asks for the exit code next.
  else if (!connection.destroyed) await Promise.race([exec.ended, finished(connection).catch(() => undefined)]);
  connection.end();
}

function tell(connection: Duplex, message: string, isFramed: boolean): void {
  const bytes = Buffer.from(`${message}\r\n`);
  connection.end(isFramed ? Buffer.concat([frameHeader('stdout', bytes.length), bytes]) : bytes);
}

/** Before the start it is the size that the terminal begins with. */
async function resize(parts: Parts, exchange: Exchange, exec: Exec): Promise<void> {
  const size = terminalSize(exchange);
  assertRunning(exec.container);
  if (exec.state.status === 'ended') throw invalid(`cannot resize exec ${exec.id}: it has ended`);
  if (exec.spec.hasTerminal) await parts.monitor.resize(exec.id, size);
  exchange.empty(200);
}
