import type { FileHandle } from 'node:fs/promises';

/**
 * Reads the system disk, an erofs image as the builder writes it: not compressed, no extended attributes. So any computer can look
 * into it and needs no file system driver for it (Linux, Documentation/filesystems/erofs.rst; all numbers are little-endian).
 */
export interface ErofsEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly kind: 'folder' | 'file' | 'link';
  /** Permissions alone. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Of a file, or the target of a link. */
  readonly content: () => AsyncGenerator<Buffer>;
}

interface Inode {
  readonly mode: number;
  readonly sizeBytes: number;
  readonly layout: number;
  readonly firstBlock: number;
  /** Where the part lies that is kept beside the inode. */
  readonly inlineOffset: number;
}

interface Image {
  readonly file: FileHandle;
  readonly blockBytes: number;
  readonly metadataOffset: number;
}

const superblock = { offset: 1024, length: 128, magic: 0xe0f5e1e2 } as const;
const slotBytes = 32;
/** Data layouts: whole blocks one after the other; the same, and the last part beside the inode. */
const plain = 0;
const inline = 2;
const kinds: Readonly<Record<number, ErofsEntry['kind']>> = { 0o040000: 'folder', 0o100000: 'file', 0o120000: 'link' };
const readBytes = 1024 ** 2;

/** Everything below the root, each folder before what is in it, in the order of names. Other kinds of files are left out. */
export async function* readErofs(file: FileHandle): AsyncGenerator<ErofsEntry> {
  const head = await readAt(file, superblock.offset, superblock.length);
  if (head.readUInt32LE(0) !== superblock.magic) throw new Error('it is not an erofs image');
  const blockBytes = 2 ** head.readUInt8(12);
  const image: Image = { file, blockBytes, metadataOffset: head.readUInt32LE(40) * blockBytes };
  yield* walk(image, head.readUInt16LE(14), '');
}

async function* walk(image: Image, nid: number, folder: string): AsyncGenerator<ErofsEntry> {
  for (const { name, nid: child } of await readFolder(image, await readInode(image, nid))) {
    const inode = await readInode(image, child);
    const kind = kinds[inode.mode & 0o170000];
    if (kind === undefined) continue;
    const path = folder === '' ? name : `${folder}/${name}`;
    const { sizeBytes, mode } = inode;
    yield {
      path,
      kind,
      mode: mode & 0o7777,
      sizeBytes: kind === 'folder' ? 0 : sizeBytes,
      content: () => read(image, inode),
    };
    if (kind === 'folder') yield* walk(image, child, path);
  }
}

async function readInode({ file, metadataOffset }: Image, nid: number): Promise<Inode> {
  const offset = metadataOffset + nid * slotBytes;
  const bytes = await readAt(file, offset, 64);
  const format = bytes.readUInt16LE(0);
  const isExtended = (format & 1) === 1;
  const attributes = bytes.readUInt16LE(2);
  const attributeBytes = attributes === 0 ? 0 : 12 + (attributes - 1) * 4;
  return {
    mode: bytes.readUInt16LE(4),
    sizeBytes: isExtended ? Number(bytes.readBigUInt64LE(8)) : bytes.readUInt32LE(8),
    layout: (format >> 1) & 7,
    firstBlock: bytes.readUInt32LE(16),
    inlineOffset: offset + (isExtended ? 64 : 32) + attributeBytes,
  };
}

/** Entries are 12 bytes (inode, place of the name, kind), all of a block first, then their names. */
async function readFolder(
  image: Image,
  inode: Inode,
): Promise<readonly { readonly name: string; readonly nid: number }[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of read(image, inode)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const found: { readonly name: string; readonly nid: number }[] = [];
  for (let start = 0; start < bytes.length; start += image.blockBytes) {
    const block = bytes.subarray(start, start + image.blockBytes);
    const count = block.readUInt16LE(8) / 12;
    for (let at = 0; at < count; at++) {
      const nameAt = block.readUInt16LE(at * 12 + 8);
      const end = at + 1 < count ? block.readUInt16LE((at + 1) * 12 + 8) : block.length;
      const name = block.toString('utf8', nameAt, end).replace(/\0.*$/s, '');
      if (name !== '.' && name !== '..') found.push({ name, nid: Number(block.readBigUInt64LE(at * 12)) });
    }
  }
  return found;
}

async function* read(image: Image, inode: Inode): AsyncGenerator<Buffer> {
  const { file, blockBytes } = image;
  const { sizeBytes, layout, firstBlock, inlineOffset } = inode;
  if (layout !== plain && layout !== inline)
    throw new Error(`it has files in a layout (${layout}) that is not read here`);
  const inBlocks = layout === plain ? sizeBytes : Math.max(0, Math.ceil(sizeBytes / blockBytes) - 1) * blockBytes;
  for (let done = 0; done < inBlocks; done += readBytes)
    yield await readAt(file, firstBlock * blockBytes + done, Math.min(readBytes, inBlocks - done));
  if (inBlocks < sizeBytes) yield await readAt(file, inlineOffset, sizeBytes - inBlocks);
}

/** As many bytes as are there, the rest zero: the last inode may lie at the image's end. */
async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes;
}
