import { hasMemoryKills, watchMemoryKills } from '../../kernel/memory-kills.ts';
import type { ContainerId } from '../../model/ids.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { cgroupOf } from '../oci/cgroup-of.ts';
import type { Parts } from '../parts.ts';
import { liveState } from '../state.ts';

/**
 * Tells at once when the kernel kills a process of a container that has a memory limit; of the others, and of what comes while no
 * engine runs, the container's end tells. A descriptor for each that runs with a limit.
 */
export class MemoryWatches implements Disposable {
  readonly #watches = new Map<ContainerId, Watched>();

  /** From its creation, or from boot, on; until it is forgotten. */
  follow(parts: Parts, container: Container): void {
    this.#watches.set(container.id, new Watched(parts, container));
  }

  forget(id: ContainerId): void {
    this.#watches.get(id)?.[Symbol.dispose]();
    this.#watches.delete(id);
  }

  [Symbol.dispose](): void {
    for (const watched of this.#watches.values()) watched[Symbol.dispose]();
    this.#watches.clear();
  }
}

class Watched implements Disposable {
  readonly #parts: Parts;
  readonly #container: Container;
  readonly #moves: Disposable;
  #kills: Disposable | null = null;

  constructor(parts: Parts, container: Container) {
    this.#parts = parts;
    this.#container = container;
    this.#moves = container.watch((state, before) => {
      const isLive = liveState(state) !== null;
      if (isLive === (liveState(before) !== null)) return;
      if (isLive) this.#begin();
      else this.#end();
    });
    if (liveState(container.state) === null || container.spec.resources.memoryBytes === null) return;
    // What was killed before this engine came is not told a second time.
    if (hasMemoryKills(cgroupOf(parts, container))) container.noteMemoryKill();
    this.#begin();
  }

  [Symbol.dispose](): void {
    this.#moves[Symbol.dispose]();
    this.#end();
  }

  #begin(): void {
    const [parts, container] = [this.#parts, this.#container];
    if (container.spec.resources.memoryBytes === null) return;
    try {
      this.#kills = watchMemoryKills(cgroupOf(parts, container), () => {
        container.noteMemoryKill();
        publishContainerEvent(parts, container, 'oom');
      });
    } catch (error) {
      parts.log.warn('memory kills are told at the end alone', { container: container.id, error });
    }
  }

  #end(): void {
    this.#kills?.[Symbol.dispose]();
    this.#kills = null;
  }
}
