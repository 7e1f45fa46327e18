import { internal } from '../../model/errors.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';

/** `docker rm --link parent/alias`: the parent forgets the link; the container that it led to stays. Errors in dockerd's words and kinds. */
export async function removeLink(parts: Parts, path: string): Promise<void> {
  const { parentName, alias } = splitLink(path);
  if (parentName === '') throw internal('Conflict, cannot remove the default link name of the container');
  const parent = findParent(parts, parentName, alias);
  await parent.queue.run(async () => {
    const { spec, id } = parent;
    const links = spec.network.links.filter((link) => link.slice(link.indexOf(':') + 1) !== alias);
    if (links.length === spec.network.links.length)
      throw internal(`container ${parent.name} has no link with the name ${alias}`);
    const changed = { ...spec, network: { ...spec.network, links } };
    parts.rows.changeSpec(id, changed);
    parent.changeSpec(changed);
    await Promise.resolve();
  });
}

function splitLink(path: string): { readonly parentName: string; readonly alias: string } {
  const text = path.startsWith('/') ? path.slice(1) : path;
  const at = text.lastIndexOf('/');
  return { parentName: text.slice(0, Math.max(at, 0)), alias: text.slice(at + 1) };
}

function findParent({ directory }: Parts, name: string, alias: string): Container {
  try {
    return directory.find(name);
  } catch (error) {
    throw internal(`Cannot get parent ${name} for link name /${name}/${alias}`, { cause: error });
  }
}
