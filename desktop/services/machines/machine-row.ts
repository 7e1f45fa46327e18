import type { Machine as MachineDocument } from '../../../provisioners/machines.ts';
import type { Machine } from '../../contract/machines.ts';
import { operationAt, type OperationRecord } from './operation-record.ts';

/** What is known of one machine before its times are worked out for whoever looks. */
export interface MachineEntry {
  readonly name: string;
  /** Null: it is only being made, or its making failed before anything was written. */
  readonly document: MachineDocument | null;
  readonly record: OperationRecord | null;
}

/** The machine as a page sees it at `now`: without keys, sockets and files that a page has no use for. */
export function machineRow({ name, document, record }: MachineEntry, now: number): Machine {
  const operation = record && operationAt(record, now);
  if (document === null) return { ...unwritten, name, ...stateOf(record), operation };
  const { driver, state, error, createdAt, dockerHost, dockerContext, engineVersion, facts } = document;
  return {
    name,
    driver,
    state,
    error,
    settings: settingsOf(document),
    abilities: [...document.abilities],
    createdAt,
    dockerHost,
    dockerContext,
    engineVersion,
    address: addressOf(document),
    connection: document.agent && { state: document.agent.connection, error: document.agent.error },
    resources: document.resources.map(({ key, title, state: stands, id }) => ({ key, title, state: stands, id })),
    logs: document.serialLogFile === null ? ['engine', 'agent'] : ['console', 'engine', 'agent'],
    facts,
    operation,
  };
}

const unwritten = {
  driver: null,
  settings: null,
  abilities: [],
  createdAt: null,
  dockerHost: null,
  dockerContext: null,
  engineVersion: null,
  address: null,
  connection: null,
  resources: [],
  logs: [],
  facts: {},
};

function settingsOf({ settings }: MachineDocument): NonNullable<Machine['settings']> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, typeof value === 'object' ? [...value] : value]],
    ),
  );
}

function addressOf({ ssh }: MachineDocument): string | null {
  if (ssh === null) return null;
  const host = ssh.host.includes(':') ? `[${ssh.host}]` : ssh.host;
  return `${ssh.user}@${host}:${ssh.port}`;
}

function stateOf(record: OperationRecord | null): Pick<Machine, 'state' | 'error'> {
  if (record?.state === 'running') return { state: record.verb === 'remove' ? 'removing' : 'creating', error: null };
  return { state: 'create-failed', error: record?.error?.message ?? 'It was not finished.' };
}
