/**
 * The `newc` archive that Linux unpacks as its initial root (Documentation/driver-api/early-userspace/buffer-format).
 * Written here rather than by cpio(1), because owner, times and inode numbers must not depend on who builds and when:
 * the same entries give the same bytes.
 */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Buffer }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const typeBits = { directory: 0o040000, file: 0o100000, link: 0o120000, device: 0o020000 };

/** Entries in the given order (parents first), owned by root, all times zero. Paths are relative, without a leading slash. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.map((entry, index) => record({ entry, inode: index + 1 }));
  parts.push(
    record({ entry: { kind: 'file', path: 'TRAILER!!!', mode: 0, data: Buffer.alloc(0) }, inode: 0, isTrailer: true }),
  );
  return Buffer.concat(parts);
}

function record({ entry, inode, isTrailer = false }: { entry: CpioEntry; inode: number; isTrailer?: boolean }): Buffer {
  const data = entry.kind === 'file' ? entry.data : entry.kind === 'link' ? Buffer.from(entry.target) : Buffer.alloc(0);
  const permissions = entry.kind === 'link' ? 0o777 : entry.mode;
  const device = entry.kind === 'device' ? entry : { major: 0, minor: 0 };
  const name = Buffer.from(`${entry.path}\0`);
  const fields = [
    inode,
    isTrailer ? 0 : typeBits[entry.kind] | permissions,
    0, // uid
    0, // gid
    entry.kind === 'directory' ? 2 : 1,
    0, // mtime
    data.length,
    0, // device that holds the archive, major and minor
    0,
    device.major,
    device.minor,
    name.length,
    0, // checksum: unused in newc
  ];
  const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([padded(Buffer.concat([header, name])), padded(data)]);
}

function padded(part: Buffer): Buffer {
  const rest = part.length % 4;
  return rest === 0 ? part : Buffer.concat([part, Buffer.alloc(4 - rest)]);
}
