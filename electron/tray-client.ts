/** The main process as a client of the core, like any page: follows the lists that the tray shows, and carries its commands out. */
import type { MessagePortMain } from 'electron';
import { contract, type DesktopClient } from '../desktop/contract/contract.ts';
import { DesktopError } from '../desktop/contract/errors.ts';
import { followRows } from '../desktop/services/lists/follow-rows.ts';
import type { TrayCommand, TrayState } from '../desktop/services/tray-menu.ts';
import { connect } from '../desktop/wire/connect.ts';
import { mainPortLink } from '../desktop/wire/message-port-link.ts';
import type { PortTaker } from './core-host.ts';

export interface TrayClientOptions {
  readonly onState: (state: TrayState) => void;
  /** A command that failed, for the person who gave it. */
  readonly onFailure: (message: string) => void;
  readonly report: (fault: Error) => void;
  /** Commands that are not the core's. */
  readonly shell: { open(): void; quit(): void; openAddress(url: string): void };
}

type Put = (change: Partial<TrayState>) => void;

function containerText({ machine, id }: { readonly machine: string; readonly id: string }): string {
  return `${machine}/${id}`;
}

const nothing: TrayState = { machines: [], connections: [], containers: [], tasks: [] };

export class TrayClient implements PortTaker {
  readonly #options: TrayClientOptions;
  #client: DesktopClient | null = null;
  #state = nothing;

  constructor(options: TrayClientOptions) {
    this.#options = options;
  }

  take(port: MessagePortMain): void {
    const { client, closed } = connect({ contract, link: mainPortLink(port) });
    this.#client = client;
    const stop = new AbortController();
    void closed.then(() => {
      stop.abort();
      if (this.#client === client) this.#client = null;
    });
    const { signal } = stop;
    const put: Put = (change) => {
      if (signal.aborted) return;
      this.#state = { ...this.#state, ...change };
      this.#options.onState(this.#state);
    };
    this.#follow(client, signal, put);
  }

  async run(command: TrayCommand): Promise<void> {
    try {
      await this.#run(command);
    } catch (error) {
      this.#options.onFailure(error instanceof Error ? error.message : String(error));
    }
  }

  #follow({ machines, engine, containers, app }: DesktopClient, signal: AbortSignal, put: Put): void {
    const options = { signal };
    const follow = <T, K>(list: Parameters<typeof followRows<T, K>>[0]): void => {
      followRows(list).catch((cause: unknown) => {
        // The link has ended, and the next one brings new lists; anything else is a fault.
        if (!signal.aborted) this.#options.report(new Error('the tray lost a list', { cause }));
      });
    };
    follow({
      updates: machines.watch({}, options),
      textOf: ({ name }) => name,
      keyText: String,
      onRows: (rows) => put({ machines: rows }),
    });
    follow({
      updates: engine.watch({}, options),
      textOf: ({ machine }) => machine,
      keyText: String,
      onRows: (rows) => put({ connections: rows }),
    });
    follow({
      updates: containers.watch({}, options),
      textOf: containerText,
      keyText: containerText,
      onRows: (rows) => put({ containers: rows }),
    });
    follow({
      updates: app.tasks({}, options),
      textOf: ({ id }) => id,
      keyText: String,
      onRows: (rows) => put({ tasks: rows }),
    });
  }

  async #run(command: TrayCommand): Promise<void> {
    const { shell } = this.#options;
    if (command.do === 'open') return shell.open();
    if (command.do === 'quit') return shell.quit();
    if (command.do === 'open-address') return shell.openAddress(command.url);
    const client = this.#client;
    if (!client) throw new DesktopError('disconnected', 'Skiff is starting again; try once more in a moment.');
    await carryOut(client, command);
  }
}

type CoreCommand = Exclude<TrayCommand, { do: 'open' | 'quit' | 'open-address' }>;

async function carryOut({ machines, containers }: DesktopClient, command: CoreCommand): Promise<void> {
  const patient = { timeoutMs: null };
  switch (command.do) {
    case 'start-machine':
      await machines.start({ name: command.machine }, patient);
      return;
    case 'stop-machine':
      await machines.stop({ name: command.machine }, patient);
      return;
    case 'start-container':
      await containers.start({ machine: command.machine, id: command.id }, patient);
      return;
    case 'stop-container':
      await containers.stop({ machine: command.machine, id: command.id }, patient);
      return;
    case 'restart-container':
      await containers.restart({ machine: command.machine, id: command.id }, patient);
      return;
  }
}
