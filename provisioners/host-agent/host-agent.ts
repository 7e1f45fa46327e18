import { chmod, rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { HostAgentState, PortForward } from '../machines.ts';
import type { MachinePaths } from '../store/home.ts';
import { ownIdentity } from '../store/process-identity.ts';
import type { Line } from '../line/line.ts';
import { setMachineClock } from './machine-clock.ts';
import { writeAgentState } from './agent-state.ts';
import type { BulkTunnel } from './bulk-tunnel.ts';
import { EngineDoor } from './engine-door.ts';
import { followPublishedPorts } from './container-ports.ts';
import type { KeepSharesOptions } from './keep-shares.ts';
import { keepShares } from './keep-shares.ts';
import { KeptTunnel } from './kept-tunnel.ts';
import type { LinkState, MachineLinkOptions } from './machine-link.ts';
import { MachineLink } from './machine-link.ts';
import type { PortForwarderOptions } from './port-forwarder.ts';
import { PortForwarder } from './port-forwarder.ts';
import { describeOwner, findPortOwner } from './port-owner.ts';
import type { PublishedPort } from './published-ports.ts';
import { serveStreams } from './stream-server.ts';
import type { WatchOptions } from './watch-computer.ts';
import { watchComputer } from './watch-computer.ts';

export interface HostAgentOptions {
  readonly paths: Pick<MachinePaths, 'agentState' | 'dockerSocket'>;
  /** Where the engine listens in the machine. */
  readonly engineSocket: string;
  /** See MachineLinkOptions. */
  readonly open: MachineLinkOptions['open'];
  /** Whether the machine's clock is ours to set: not on a host that belongs to somebody else. */
  readonly setsClock?: boolean;
  /** Opens the fast way for bulk streams; null where it cannot be had. Absent: there is none. */
  readonly openTunnel?: (signal: AbortSignal) => Promise<BulkTunnel | null>;
  /** The engine runs on this computer itself: what it publishes is there already. */
  readonly portsAreHere?: boolean;
  /** See PortForwarderOptions; by default the program that has the port. */
  readonly ownerOf?: PortForwarderOptions['ownerOf'];
  /** `answerMs`: how long the machine may take to prove that it is there after this computer slept or changed networks. */
  readonly watch?: WatchOptions & { readonly answerMs?: number };
  /** Folders of this computer for its containers; absent: the engine runs on this computer, and has them. */
  readonly shares?: Pick<KeepSharesOptions, 'document' | 'shares'>;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A client that comes while the connection is being made again waits this long before it is sent away. */
const waitForLinkMs = 20_000;

/** An emulated machine that has just come up has time for those who wait for its engine; what this agent asks comes so much later. */
const firstAnswersMs = 300;

/** Runs one machine's host agent until the machine has stopped or the signal is aborted; leaves no file behind. */
export async function runHostAgent(options: HostAgentOptions): Promise<void> {
  const { paths, engineSocket, log, signal } = options;
  const identity = await ownIdentity();
  const ending = new AbortController();
  const whole = AbortSignal.any([signal, ending.signal]);
  let state: HostAgentState = { connection: 'connecting', error: null, forwards: [] };
  let writing: Promise<void> = Promise.resolve();
  const publish = (change: Partial<HostAgentState>): void => {
    state = { ...state, ...change };
    const current = state;
    writing = writing
      .then(() => writeAgentState(paths.agentState, { identity, state: current }))
      .catch((error: unknown) => log(`the state could not be written: ${String(error)}`));
  };
  let onFasterWay = (): void => undefined;
  const tunnel = new KeptTunnel({
    open: options.openTunnel ?? (() => Promise.resolve(null)),
    signal: whole,
    log,
    onOpen: () => onFasterWay(),
  });
  const link = new MachineLink({
    open: options.open,
    signal: whole,
    onChange: (now) => {
      log(describeLink(now));
      publish({ connection: now.kind, error: now.kind === 'lost' ? now.error.message : null });
      door.close();
      if (now.kind !== 'ready') tunnel.close();
    },
  });
  const setClock = (line: Line): void => {
    setMachineClock(line, { now: () => Date.now(), signal: whole }).then(
      (result) => {
        if (result.isSet) log(`the clock of the machine was set by ${result.driftSeconds} s`);
      },
      (error: unknown) => log(`the clock of the machine could not be looked at: ${String(error)}`),
    );
  };
  // Its connection may well have lived through it, and then its clock is still to be set.
  using _watch = watchComputer((change) => {
    log(change === 'slept' ? 'this computer slept' : 'the network of this computer changed');
    const { state: now } = link;
    if (change === 'slept' && now.kind === 'ready' && options.setsClock === true) setClock(now.connection);
    const ask = async (line: Line, end: AbortSignal): Promise<void> =>
      void (await line.dialUnix(engineSocket, end)).destroy();
    void link.prove(ask, options.watch?.answerMs);
  }, options.watch);
  let greeted: Line | null = null;
  /**
   * What a fresh connection is given once the engine has answered over it, for until then an emulated machine has no time for more. A command,
   * be it to look at the clock: OpenSSH's server sends small packets without delay (TCP_NODELAY) only after it has run one, and a
   * connection that only forwards waits 40 ms for the answer to each small request. And the fast way.
   */
  const greet = async (): Promise<void> => {
    await delay(firstAnswersMs, undefined, { signal: whole });
    if (link.state.kind !== 'ready' || link.state.connection === greeted) return;
    greeted = link.state.connection;
    if (options.setsClock === true) setClock(greeted);
    else greeted.run('true', { signal: whole }).catch((error: unknown) => log(`the first command: ${String(error)}`));
    tunnel.open();
  };
  const door = new EngineDoor({
    dial: (end) => link.dialUnix(engineSocket, { waitMs: waitForLinkMs, signal: end }),
    onOpen: () => void greet().catch(() => undefined), // rejected when this agent ends
    signal: whole,
  });
  const dialEngine = async (end?: AbortSignal): Promise<Duplex> => (await tunnel.dial(end)) ?? (await door.dial(end));
  let isFirst = true;
  const dialForOurselves = async (end?: AbortSignal): Promise<Duplex> => {
    if (isFirst) {
      await door.opened(whole);
      await delay(firstAnswersMs, undefined, { signal: whole });
      isFirst = false;
    }
    return await dialEngine(end);
  };
  const onFailure = (error: Error): void => log(error.message);
  publish({});
  // Whoever holds the agent's lock owns the path; a socket there is what a killed agent left. Pipes of Windows go with their process.
  const isPipe = paths.dockerSocket.startsWith('\\\\');
  if (!isPipe) await rm(paths.dockerSocket, { force: true });
  {
    await using _server = await serveStreams({ listen: { path: paths.dockerSocket }, dial: dialEngine, onFailure });
    if (!isPipe) await chmod(paths.dockerSocket, 0o600);
    await using forwarder = new PortForwarder({
      dial: (address) => link.dialTcp(address, { waitMs: waitForLinkMs }),
      dialEngine,
      ownerOf: options.ownerOf ?? (async (port) => describeOwner(await findPortOwner(port))),
      onChange: (forwards) => {
        for (const { error } of forwards) if (error !== null) log(error);
        publish({ forwards });
      },
      onFailure,
    });
    const onPorts = (ports: readonly PublishedPort[]): void => {
      if (options.portsAreHere === true) publish({ forwards: ports.map(forwardOfEngine) });
      else void forwarder.update(ports);
    };
    const following = followPublishedPorts({
      dial: dialForOurselves,
      signal: whole,
      onPorts,
      onFailure: (error) => log(`events of the engine: ${error.message}`),
    });
    const sharing =
      options.shares === undefined
        ? null
        : keepShares({
            ...options.shares,
            dial: dialForOurselves,
            onFasterWay: (listener) => (onFasterWay = listener),
            signal: whole,
            log,
          });
    await link.run();
    ending.abort();
    await tunnel[Symbol.asyncDispose]();
    await following;
    await sharing;
  }
  await writing;
  await rm(paths.agentState, { force: true });
}

function forwardOfEngine({ containerId, containerPort, protocol, machineIp, port }: PublishedPort): PortForward {
  return { containerId, containerPort, protocol, hostIp: machineIp, hostPort: port, state: 'open', error: null };
}

function describeLink(state: LinkState): string {
  return state.kind === 'lost' ? `the connection is lost: ${state.error.message}` : `the connection is ${state.kind}`;
}
