import { conflict, invalid, notFound } from '../model/errors.ts';
import type { ContainerId } from '../model/ids.ts';
import type { Container } from './container.ts';

const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** All containers of the engine, by id and by name. A name belongs to its container until the removal is complete. */
export class Directory {
  readonly #byId = new Map<ContainerId, Container>();
  readonly #byName = new Map<string, Container>();
  /** Names of containers that are being created and are not listed yet. */
  readonly #reserved = new Map<string, ContainerId>();

  /** Newest first, as `docker ps` lists them. */
  all(): readonly Container[] {
    return [...this.#byId.values()].toSorted((a, b) => (a.spec.createdAt < b.spec.createdAt ? 1 : -1));
  }

  /** In no order, and without making a list. */
  each(): Iterable<Container> {
    return this.#byId.values();
  }

  add(container: Container): void {
    this.#reserved.delete(container.name);
    this.#byId.set(container.id, container);
    this.#byName.set(container.name, container);
  }

  /** To be called when the database has the new name. */
  rename(container: Container, name: string): void {
    this.#reserved.delete(name);
    this.#byName.delete(container.name);
    container.rename(name);
    this.#byName.set(name, container);
  }

  remove(container: Container): void {
    this.#byId.delete(container.id);
    this.#byName.delete(container.name);
  }

  byId(id: ContainerId): Container | undefined {
    return this.#byId.get(id);
  }

  /** By a full id or an exact name. */
  byIdOrName(text: string): Container | undefined {
    return this.#byId.get(text as ContainerId) ?? this.#byName.get(text);
  }

  /** Full id, then exact name, then an unambiguous beginning of an id, then `parent/alias` of a link. Throws Docker's errors. */
  find(text: string): Container {
    const name = text.startsWith('/') ? text.slice(1) : text;
    if (name === '') throw invalid('invalid container name or ID: value is empty');
    const exact = this.byIdOrName(name);
    if (exact !== undefined) return exact;
    const found = /^[0-9a-f]+$/.test(name) ? [...this.#byId.values()].filter(({ id }) => id.startsWith(name)) : [];
    if (found.length > 1) throw invalid(`multiple IDs found with provided prefix: ${name}`);
    const [only] = found;
    const named = only ?? this.#linked(name);
    if (named === undefined) throw notFound(`No such container: ${text}`);
    return named;
  }

  #linked(name: string): Container | undefined {
    const [parent = '', alias] = name.split('/', 2);
    if (alias === undefined) return undefined;
    const link = this.#byName.get(parent)?.spec.network.links.find((one) => one.slice(one.indexOf(':') + 1) === alias);
    return link === undefined ? undefined : this.byIdOrName(link.slice(0, link.indexOf(':')));
  }

  /** Holds a name for a container that is about to be. Throws `invalid` or `conflict`. */
  reserve(given: string, id: ContainerId): Disposable & { readonly name: string } {
    const name = given.startsWith('/') ? given.slice(1) : given;
    if (!validName.test(name)) {
      throw invalid(`Invalid container name (${given}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    const holder = this.#byName.get(name)?.id ?? this.#reserved.get(name);
    if (holder !== undefined) {
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${holder}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
    this.#reserved.set(name, id);
    return { name, [Symbol.dispose]: () => void this.#reserved.delete(name) };
  }

  isNameFree(name: string): boolean {
    return !this.#byName.has(name) && !this.#reserved.has(name);
  }
}
