/**
 * What a driver makes outside of the machine's folder: a cloud's server, a hypervisor's registration, an engine on somebody's
 * host. Each stands in the machine's document **before** it is asked for, so that whatever happens in between (a network that breaks, a
 * process that is killed) nobody has to guess what exists: `asked` may be there or not and is looked for by its tag, `made` is there.
 */
export interface OutsideResource {
  /** Unique within the machine: `server`, `ssh-key`. */
  readonly key: string;
  /** For people: `EC2 instance`. */
  readonly title: string;
  readonly state: 'asked' | 'made';
  /** By what it is found again when its id is not known: carries the machine's id. */
  readonly tag: string;
  /** As its provider calls it; null while only asked for. */
  readonly id: string | null;
}

/** The journal of one machine's resources. Every change is durable when it resolves. For the lock's holder alone. */
export interface ResourceJournal {
  readonly all: readonly OutsideResource[];
  put(resource: OutsideResource): Promise<void>;
  drop(key: string): Promise<void>;
}

export interface Provided {
  readonly key: string;
  readonly title: string;
  readonly tag: string;
  /** Id of the one that an earlier try made, found by its tag; null when there is none. Asked only when a try was cut off. */
  readonly find: () => Promise<string | null>;
  /** Makes it, tagged; its id. */
  readonly make: () => Promise<string>;
}

/** Has the resource there exactly once, however often it is called and wherever an earlier call was cut off; its id. */
export async function provideResource(journal: ResourceJournal, wanted: Provided): Promise<string> {
  const { key, title, tag } = wanted;
  const known = journal.all.find((resource) => resource.key === key);
  if (known?.state === 'made' && known.id !== null) return known.id;
  let id = known === undefined ? null : await wanted.find();
  if (known === undefined) await journal.put({ key, title, tag, state: 'asked', id: null });
  id ??= await wanted.make();
  await journal.put({ key, title, tag, state: 'made', id });
  return id;
}

/** Removes it, also when nobody knows whether it was ever made; nothing when the journal does not name it. */
export async function removeResource(
  journal: ResourceJournal,
  key: string,
  how: { readonly find: () => Promise<string | null>; readonly remove: (id: string) => Promise<void> },
): Promise<void> {
  const known = journal.all.find((resource) => resource.key === key);
  if (known === undefined) return;
  const id = known.id ?? (await how.find());
  if (id !== null) await how.remove(id);
  await journal.drop(key);
}
