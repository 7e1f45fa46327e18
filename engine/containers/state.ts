/**
 * Where a container is in its life, and how it moves. The table is the whole truth: what it does not list cannot happen.
 * A move is written to the database before anybody is told.
 *
 *     created --started--> running --exited--> exited --started--> running …
 *     created, exited --removing--> removing --(row deleted)      removing --remove-failed--> dead --removing--> …
 */
import { internal } from '../model/errors.ts';
import type { EndpointPlan } from '../networks/networks.ts';

export type ContainerState =
  | { readonly status: 'created'; readonly lastError: StartFailure | null }
  | RunningState
  | ({ readonly status: 'exited' } & Exit)
  | { readonly status: 'removing'; readonly before: Exit | null }
  | { readonly status: 'dead'; readonly before: Exit | null; readonly reason: string };

export interface RunningState {
  readonly status: 'running';
  readonly pid: number;
  /** RFC 3339, as all times here. */
  readonly startedAt: string;
  readonly endpoint: EndpointPlan;
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
  running: ['exited'],
  exited: ['exited', 'running', 'removing'],
  removing: ['dead'],
  dead: ['removing'],
};

/** Throws when the table does not know the move: a mistake of ours, never of a client. */
export function assertMove(from: Status, to: Status): void {
  if (!moves[from].includes(to)) throw internal(`a container cannot go from ${from} to ${to}`);
}

/** The last exit, however the container has moved on since; null when it has never run. */
export function lastExit(state: ContainerState): Exit | null {
  switch (state.status) {
    case 'exited':
      return state;
    case 'removing':
    case 'dead':
      return state.before;
    case 'created':
    case 'running':
      return null;
  }
}
