import { encodeEntry } from '../../api/tar/writer.ts';

/** A row of numbers that look like chance and are the same for the same seed. */
export function chanceOf(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= (state << 13) >>> 0;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= (state << 5) >>> 0;
    state >>>= 0;
    return state % below;
  };
}

type Entry = Parameters<typeof encodeEntry>[0];

/** Few names, so that layers meet: files, directories, links, hard links, whiteouts and opaque directories over each other. */
const names = ['a', 'b', 'c', 'd\xff', 'e e'];

/**
 * Layers that an unpacker takes: each name once a layer, parents before what is in them, hard links to files of the same
 * layer, whiteouts only of what the layer itself does not bring.
 */
export function randomLayers(seed: number, count: number): readonly (readonly Buffer[])[] {
  const chance = chanceOf(seed);
  return Array.from({ length: count }, (_, index) => {
    const entries: Buffer[] = [];
    const files: string[] = [];
    const put = (entry: Entry, content?: Buffer): void => void entries.push(encodeEntry(entry, content));
    const look = (): Partial<Entry> => ({
      mode: [0o644, 0o600, 0o755, 0o4755, 0o1777][chance(5)] ?? 0o644,
      userId: chance(3) * 1000,
      groupId: chance(2) * 70_000,
      modifiedNs: 1_600_000_000_000_000_000n + BigInt(chance(1000)) * 1_000_000_001n,
      xattrs: chance(8) === 0 ? new Map([['user.note', Buffer.from(`of ${index}`)]]) : new Map<string, Buffer>(),
    });
    const fill = (prefix: string, depth: number): void => {
      for (const name of names) {
        const full = `${prefix}${name}`;
        const named = { name: Buffer.from(full, 'latin1') };
        switch (chance(11)) {
          case 0:
          case 1: {
            const content = Buffer.alloc(chance(3000), 65 + chance(26));
            put({ kind: 'file', ...named, ...look() }, content);
            files.push(full);
            break;
          }
          case 2:
            put({ kind: 'symlink', ...named, ...look(), linkName: Buffer.from('b/c'), xattrs: new Map() });
            break;
          case 3: {
            const target = files[chance(Math.max(1, files.length))];
            if (target !== undefined) put({ kind: 'hardlink', ...named, linkName: Buffer.from(target, 'latin1') });
            break;
          }
          case 4:
            if (index > 0) put({ kind: 'file', name: Buffer.from(`${prefix}.wh.${name}`, 'latin1') });
            break;
          case 5:
            put({ kind: 'fifo', ...named, ...look(), xattrs: new Map() });
            break;
          case 6:
          case 7:
          case 8:
            if (depth === 3) break;
            put({ kind: 'directory', name: Buffer.from(`${full}/`, 'latin1'), ...look() });
            if (chance(5) === 0 && index > 0)
              put({ kind: 'file', name: Buffer.from(`${full}/.wh..wh..opq`, 'latin1') });
            fill(`${full}/`, depth + 1);
            break;
          default:
        }
      }
    };
    fill('', 0);
    if (entries.length === 0) put({ kind: 'file', name: Buffer.from('only'), mode: 0o644 }, Buffer.from(`${index}`));
    return entries;
  });
}
