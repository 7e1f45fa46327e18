/**
 * Where a container is in its life, and how it moves. The table is the whole truth: what it does not list cannot happen.
 * A move is written to the database before anybody is told.
 *
 *     created --started--> running --exited--> exited --started--> running …
 *     running --frozen--> paused --thawed--> running      running, paused --exited--> restarting --started--> running
 *     restarting --cancelled, failed--> exited
 *     created, exited --removing--> removing --(row deleted)      removing --remove-failed--> dead --removing--> …
 */
import { internal } from '../model/errors.ts';
import type { EndpointPlan } from '../networks/networks.ts';

export type ContainerState =
  | { readonly status: 'created'; readonly lastError: StartFailure | null }
  | LiveState
  | RestartingState
  | ({ readonly status: 'exited' } & Exit)
  | { readonly status: 'removing'; readonly before: Exit | null }
  | { readonly status: 'dead'; readonly before: Exit | null; readonly reason: string };

/** It has a process and a network. */
export type LiveState = RunningState | PausedState;

export interface RunningState extends Live {
  readonly status: 'running';
}

/** All its processes are frozen. */
export interface PausedState extends Live {
  readonly status: 'paused';
}

interface Live {
  readonly pid: number;
  /** RFC 3339, as all times here. */
  readonly startedAt: string;
  readonly endpoint: EndpointPlan;
}

/** It has ended, and its restart policy starts it again at `restartAt`. Docker shows it as running, without a process. */
export interface RestartingState extends Exit {
  readonly status: 'restarting';
  readonly restartAt: string;
}

export interface Exit {
  /** 128 + n after signal n. */
  readonly exitCode: number;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly isOutOfMemory: boolean;
  /** Why it ended when it was not by itself: the last failed start, a machine that went down. */
  readonly error: string;
}

/** 127: no such program, 126: it cannot be executed, 128: anything else. */
export interface StartFailure {
  readonly exitCode: number;
  readonly message: string;
}

export type Status = ContainerState['status'];

const moves: Readonly<Record<Status, readonly Status[]>> = {
  created: ['created', 'running', 'removing'],
  running: ['paused', 'restarting', 'exited'],
  paused: ['running', 'restarting', 'exited'],
  restarting: ['running', 'exited'],
  exited: ['exited', 'running', 'removing'],
  removing: ['dead'],
  dead: ['removing'],
};

/** Throws when the table does not know the move: a mistake of ours, never of a client. */
export function assertMove(from: Status, to: Status): void {
  if (!moves[from].includes(to)) throw internal(`a container cannot go from ${from} to ${to}`);
}

/** The state of a container that has a process, frozen or not; null for all others. */
export function liveState(state: ContainerState): LiveState | null {
  return state.status === 'running' || state.status === 'paused' ? state : null;
}

/** Docker's `State.Running`: also while it is paused, and while it waits to be restarted. */
export function countsAsRunning({ status }: ContainerState): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting';
}

/** The last exit, however the container has moved on since; null when it has never run, and while it runs. */
export function lastExit(state: ContainerState): Exit | null {
  switch (state.status) {
    case 'exited':
    case 'restarting':
      return state;
    case 'removing':
    case 'dead':
      return state.before;
    case 'created':
    case 'running':
    case 'paused':
      return null;
  }
}
