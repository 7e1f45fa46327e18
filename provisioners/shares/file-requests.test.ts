import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeChange } from '../../api/shares/attributes.ts';
import { PacketReader, PacketWriter, extension, openFlag, packetType } from '../../api/shares/packets.ts';
import { FileRequests } from './file-requests.ts';
import { SafeTree } from './safe-tree.ts';

describe.skipIf(process.platform === 'win32')('what a machine asks about files', () => {
  let folder: string;
  let requests: FileRequests;
  let tree: SafeTree;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-share-'));
    for (const name of ['shared', 'shared/in', 'secret']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'secret/key'), 'secret');
    symlinkSync('../secret', join(folder, 'shared/out'));
    symlinkSync(join(folder, 'secret/key'), join(folder, 'shared/link'));
    tree = new SafeTree(join(folder, 'shared'));
    requests = new FileRequests({
      folder: (id) => (id === 'rw' || id === 'ro' ? { tree, isReadOnly: id === 'ro' } : undefined),
      onWatch: () => undefined,
      onTouched: () => undefined,
    });
  });
  afterEach(() => {
    requests[Symbol.dispose]();
    tree[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  /** What is answered: the name of an error, or the kind of packet. */
  function ask(type: number, write: (packet: PacketWriter) => PacketWriter): string | number {
    const packet = write(new PacketWriter(type)).bytes();
    const [answer] = requests.answer(type, 1, new PacketReader(packet.subarray(5)));
    const fields = new PacketReader(answer?.subarray(4) ?? Buffer.alloc(0));
    const kind = fields.u8();
    fields.u32();
    if (kind !== packetType.status) return kind;
    const code = fields.u32();
    return code === 0 ? 'ok' : fields.text();
  }
  const open = (path: string, flags: number): string | number =>
    ask(packetType.open, (packet) => writeChange(packet.text(path).u32(flags), { permissions: 0o644 }));
  const { read, write, create, truncate } = openFlag;

  it.each([
    ['a link in the middle', '/rw/out/key', 'ENOTDIR'],
    ['a link at the end', '/rw/link', 'ELOOP'],
    ['a way up', '/rw/../secret/key', 'EINVAL'],
    ['a way up from within', '/rw/in/../../secret/key', 'EINVAL'],
    ['another share', '/other/key', 'ENOENT'],
    ['no share at all', '/', 'ENOENT'],
    ['a NUL', '/rw/in\0', 'EINVAL'],
  ])('does not lead out by %s', (_by, path, error) => {
    expect(open(path, read)).toBe(error);
    expect(open(path, write | create | truncate)).toBe(error);
    expect(ask(packetType.setstat, (packet) => writeChange(packet.text(path), { sizeBytes: 0 }))).toBe(
      error === 'ELOOP' ? 'EOPNOTSUPP' : error,
    );
    expect(readFileSync(join(folder, 'secret/key'), 'utf8')).toBe('secret');
  });

  it('finds the folder that is there now, at once, where another one of its name was removed', () => {
    expect(open('/rw/in/note', create | write)).toBe(packetType.handle);
    rmSync(join(folder, 'shared/in'), { recursive: true });
    expect(open('/rw/in/note', read)).toBe('ENOENT');
    mkdirSync(join(folder, 'shared/in'));
    expect(open('/rw/in/other', create | write)).toBe(packetType.handle);
    rmSync(join(folder, 'shared/in'), { recursive: true });
    mkdirSync(join(folder, 'shared/in/deep'), { recursive: true });
    expect(open('/rw/in/deep/note', create | write)).toBe(packetType.handle);
    expect(readFileSync(join(folder, 'shared/in/deep/note'), 'utf8')).toBe('');
  });

  it('does not lead out by a folder that became a link after it was known', () => {
    expect(open('/rw/in/new', write | create)).toBe(packetType.handle);
    rmSync(join(folder, 'shared/in'), { recursive: true });
    symlinkSync('../secret', join(folder, 'shared/in'));
    tree.forget();
    expect(open('/rw/in/key', read)).toBe('ENOTDIR');
    expect(ask(packetType.remove, (packet) => packet.text('/rw/in/key'))).toBe('ENOTDIR');
  });

  it('removes and renames links, never what they lead to', () => {
    const rename = (packet: PacketWriter): PacketWriter =>
      packet.text(extension.rename).text('/rw/link').text('/rw/in/l');
    expect(ask(packetType.extended, rename)).toBe('ok');
    expect(readlinkSync(join(folder, 'shared/in/l'))).toBe(join(folder, 'secret/key'));
    expect(ask(packetType.remove, (packet) => packet.text('/rw/in/l'))).toBe('ok');
    expect(readFileSync(join(folder, 'secret/key'), 'utf8')).toBe('secret');
  });

  it('makes no second name for what a link leads to', () => {
    const link = (packet: PacketWriter): PacketWriter => packet.text(extension.link).text('/rw/link').text('/rw/hard');
    expect(ask(packetType.extended, link)).toBe('EPERM');
  });

  it('changes nothing of what is shared for reading', () => {
    expect(open('/ro/in/new', write | create)).toBe('EROFS');
    expect(ask(packetType.rmdir, (packet) => packet.text('/ro/in'))).toBe('EROFS');
    expect(ask(packetType.symlink, (packet) => packet.text('x').text('/ro/y'))).toBe('EROFS');
    expect(lstatSync(join(folder, 'shared/in')).isDirectory()).toBe(true);
  });

  it('gives files the mode that was asked for, whatever this process keeps from others', () => {
    const before = process.umask(0o077);
    try {
      expect(open('/rw/in/new', write | create)).toBe(packetType.handle);
    } finally {
      process.umask(before);
    }
    expect(lstatSync(join(folder, 'shared/in/new')).mode & 0o777).toBe(0o644);
  });

  it('refuses a packet that ends in the middle of a field', () => {
    expect(() => ask(packetType.lstat, (packet) => packet.u32(100))).toThrow(RangeError);
  });
});
