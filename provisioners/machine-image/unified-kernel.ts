/**
 * A unified kernel image: one EFI program that carries kernel, initial root and command line. It is systemd's stub with a section for
 * each (UAPI specification "Unified Kernel Image"); the stub finds them in its own memory and starts the kernel. Written here, not by
 * objcopy, which must know the processor of the image and sets the time of day.
 *
 * Offsets are those of Microsoft's "PE Format".
 */
import { MachineError } from '../machines.ts';

/** In the file header: where the PE signature lies. */
const signatureAt = 0x3c;
const fileHeaderBytes = 24;
const sectionHeaderBytes = 40;
/** From the PE signature. */
const numberOfSections = 6;
const optionalHeaderSize = 20;
/** From the optional header. */
const optionalField = { sectionAlignment: 32, fileAlignment: 36, sizeOfImage: 56, sizeOfHeaders: 60, checksum: 64 };

const isCode = 0x20;
const isInitialisedData = 0x40;
const isReadable = 0x40000000;

interface Section {
  /** At most 8 bytes. */
  readonly name: string;
  readonly data: Buffer;
  readonly memoryBytes: number;
  readonly flags: number;
}

export interface UnifiedKernel {
  /** systemd's `linux*.efi.stub`. */
  readonly stub: Buffer;
  /** Kernel with an EFI stub of its own, as the distribution gives it. */
  readonly kernel: Buffer;
  readonly initrd: Buffer;
  readonly commandLine: string;
}

export function writeUnifiedKernel({ stub, kernel, initrd, commandLine }: UnifiedKernel): Buffer {
  const data = (name: string, bytes: Buffer): Section => ({
    name,
    data: bytes,
    memoryBytes: bytes.length,
    flags: isInitialisedData | isReadable,
  });
  return addSections(stub, [
    data('.cmdline', Buffer.from(`${commandLine}\0`)),
    data('.initrd', initrd),
    // Last: it is started where it lies, and needs more room in memory than in the file.
    {
      name: '.linux',
      data: kernel,
      memoryBytes: Math.max(kernel.length, imageBytes(kernel)),
      flags: isCode | isReadable,
    },
  ]);
}

function optionalHeader(program: Buffer): number {
  const at = program.length < 0x40 ? 0 : program.readUInt32LE(signatureAt);
  if (program.toString('latin1', 0, 2) !== 'MZ' || program.toString('latin1', at, at + 4) !== 'PE\0\0')
    throw new MachineError('image-unavailable', "A kernel or stub of the recipe's packages is no EFI program.");
  return at + fileHeaderBytes;
}

const imageBytes = (program: Buffer): number =>
  program.readUInt32LE(optionalHeader(program) + optionalField.sizeOfImage);

/** The program with more sections behind those that it has, in memory and in the file. */
function addSections(program: Buffer, sections: readonly Section[]): Buffer {
  const optional = optionalHeader(program);
  const header = optional - fileHeaderBytes;
  const field = (name: keyof typeof optionalField): number => program.readUInt32LE(optional + optionalField[name]);
  const before = program.readUInt16LE(header + numberOfSections);
  const table = optional + program.readUInt16LE(header + optionalHeaderSize);
  const freeAt = table + before * sectionHeaderBytes;
  if (freeAt + sections.length * sectionHeaderBytes > field('sizeOfHeaders'))
    throw new MachineError('image-unavailable', 'The header of the EFI stub has no room for the parts of the image.');
  const last = freeAt - sectionHeaderBytes;
  const [sectionAlignment, fileAlignment] = [field('sectionAlignment'), field('fileAlignment')];
  let memoryAt = roundUp(program.readUInt32LE(last + 12) + program.readUInt32LE(last + 8), sectionAlignment);
  let fileAt = roundUp(program.length, fileAlignment);
  const changed = Buffer.from(program);
  const parts: Buffer[] = [changed, Buffer.alloc(fileAt - program.length)];
  for (const [index, { name, data, memoryBytes, flags }] of sections.entries()) {
    const rawBytes = roundUp(data.length, fileAlignment);
    const entry = freeAt + index * sectionHeaderBytes;
    changed.fill(0, entry, entry + sectionHeaderBytes);
    changed.write(name, entry, 8, 'latin1');
    changed.writeUInt32LE(memoryBytes, entry + 8);
    changed.writeUInt32LE(memoryAt, entry + 12);
    changed.writeUInt32LE(rawBytes, entry + 16);
    changed.writeUInt32LE(fileAt, entry + 20);
    changed.writeUInt32LE(flags, entry + 36);
    parts.push(data, Buffer.alloc(rawBytes - data.length));
    memoryAt = roundUp(memoryAt + memoryBytes, sectionAlignment);
    fileAt += rawBytes;
  }
  changed.writeUInt16LE(before + sections.length, header + numberOfSections);
  changed.writeUInt32LE(memoryAt, optional + optionalField.sizeOfImage);
  // Firmware checks it for drivers alone; zero means that there is none.
  changed.writeUInt32LE(0, optional + optionalField.checksum);
  return Buffer.concat(parts);
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
