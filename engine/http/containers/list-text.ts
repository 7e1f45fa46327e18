/**
 * The list of containers as text. What is settled of a container is put into words once and not for everyone who asks: a list
 * of a thousand then takes a third of the time, and makes hardly any garbage, whose collection was its slowest calls.
 */
import type { Container } from '../../containers/container.ts';
import type { ContainerSpec } from '../../containers/spec/spec.ts';
import type { ContainerState } from '../../containers/state.ts';
import { gated } from '../version-gates.ts';
import type { MountFolders } from './inspect/mounts.ts';
import { settledSummary } from './summary.ts';

interface Settled {
  /** Part of its names in networks. */
  readonly name: string;
  readonly spec: ContainerSpec;
  readonly state: ContainerState;
  readonly version: string;
  /** An object of JSON, its closing brace left out. */
  readonly opened: string;
}

export class ListText {
  readonly #settled = new WeakMap<Container, Settled>();

  /** One container of `GET /containers/json`, for clients of that version. `passing`: the fields that are not settled, some at least. */
  entry(container: Container, version: string, folders: MountFolders, passing: object): string {
    const more = JSON.stringify(gated('container-list', version, passing));
    return `${this.#of(container, version, folders)},${more.slice(1)}`;
  }

  #of(container: Container, version: string, folders: MountFolders): string {
    const { name, spec, state } = container;
    const kept = this.#settled.get(container);
    const isSame = kept?.spec === spec && kept.state === state && kept.name === name && kept.version === version;
    if (isSame) return kept.opened;
    const opened = JSON.stringify(gated('container-list', version, settledSummary(container, folders))).slice(0, -1);
    this.#settled.set(container, { name, spec, state, version, opened });
    return opened;
  }
}
