/**
 * Just enough of ELF (64-bit, little endian: x86-64 and AArch64) to answer the questions that decide what enters the
 * machine image: which libraries and which loader does a program need, and which modules does a kernel module need.
 * Reading it here, rather than running ldd and depmod, works for a foreign architecture and runs nothing that was downloaded.
 * Layout: System V ABI, chapters 4 and 5; `.modinfo` is a row of `key=value` strings, each ended by a zero byte.
 */
const programHeader = { dynamic: 2, interpreter: 3, load: 1 };
const dynamicTag = { needed: 1n, stringTable: 5n };

export interface ElfNeeds {
  /** Path of the loader as the program names it (`/lib64/ld-linux-x86-64.so.2`); null for libraries and static programs. */
  readonly interpreter: string | null;
  /** Library names (DT_NEEDED), in the order of the file. */
  readonly libraries: readonly string[];
}

export function isElf(file: Buffer): boolean {
  return file.length > 64 && file.readUInt32BE(0) === 0x7f454c46;
}

/** What a program or a library needs to be loaded. Throws on anything that is not 64-bit little-endian ELF. */
export function readElfNeeds(file: Buffer): ElfNeeds {
  assertElf64(file);
  const headers = programHeaders(file);
  const interpreter = headers.find((header) => header.type === programHeader.interpreter);
  const dynamic = headers.find((header) => header.type === programHeader.dynamic);
  return {
    interpreter: interpreter === undefined ? null : stringAt(file, interpreter.offset),
    libraries: dynamic === undefined ? [] : neededLibraries(file, headers, dynamic),
  };
}

/** The `key=value` pairs of a kernel module's `.modinfo`, in the order of the file; keys repeat (`alias`). */
export function readModuleInfo(file: Buffer): readonly (readonly [key: string, value: string])[] {
  assertElf64(file);
  const section = findSection(file, '.modinfo');
  return section
    .toString('latin1')
    .split('\0')
    .filter((entry) => entry.includes('='))
    .map((entry) => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)] as const;
    });
}

interface ProgramHeader {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function assertElf64(file: Buffer): void {
  if (!isElf(file) || file[4] !== 2 || file[5] !== 1) throw new Error('not a 64-bit little-endian ELF file');
}

function programHeaders(file: Buffer): readonly ProgramHeader[] {
  const start = Number(file.readBigUInt64LE(32));
  const entrySize = file.readUInt16LE(54);
  return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
    const at = start + index * entrySize;
    return {
      type: file.readUInt32LE(at),
      offset: Number(file.readBigUInt64LE(at + 8)),
      address: Number(file.readBigUInt64LE(at + 16)),
      size: Number(file.readBigUInt64LE(at + 32)),
    };
  });
}

function neededLibraries(file: Buffer, headers: readonly ProgramHeader[], dynamic: ProgramHeader): readonly string[] {
  const needed: number[] = [];
  let stringTable: number | null = null;
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.size; at += 16) {
    const tag = file.readBigUInt64LE(at);
    const value = Number(file.readBigUInt64LE(at + 8));
    if (tag === dynamicTag.needed) needed.push(value);
    else if (tag === dynamicTag.stringTable) stringTable = fileOffset(headers, value);
  }
  if (needed.length === 0) return [];
  if (stringTable === null) throw new Error('an ELF file that names libraries but has no string table');
  const base = stringTable;
  return needed.map((offset) => stringAt(file, base + offset));
}

/** DT_STRTAB is an address in memory; the loaded segment that covers it says where that lies in the file. */
function fileOffset(headers: readonly ProgramHeader[], address: number): number {
  const segment = headers.find(
    (header) =>
      header.type === programHeader.load && address >= header.address && address < header.address + header.size,
  );
  if (segment === undefined) throw new Error('an ELF file whose string table is in no segment');
  return address - segment.address + segment.offset;
}

function findSection(file: Buffer, name: string): Buffer {
  const start = Number(file.readBigUInt64LE(40));
  const entrySize = file.readUInt16LE(58);
  const count = file.readUInt16LE(60);
  const namesHeader = start + file.readUInt16LE(62) * entrySize;
  const names = Number(file.readBigUInt64LE(namesHeader + 24));
  for (let index = 0; index < count; index += 1) {
    const at = start + index * entrySize;
    if (stringAt(file, names + file.readUInt32LE(at)) !== name) continue;
    const offset = Number(file.readBigUInt64LE(at + 24));
    return file.subarray(offset, offset + Number(file.readBigUInt64LE(at + 32)));
  }
  throw new Error(`an ELF file without the section ${name}`);
}

function stringAt(file: Buffer, offset: number): string {
  const end = file.indexOf(0, offset);
  if (end < 0) throw new Error('an ELF file that ends inside a string');
  return file.toString('latin1', offset, end);
}
