import { zstdDecompressSync } from 'node:zlib';
import { isElf } from './elf.ts';
import { MachineError } from '../machines.ts';

/** Offsets in the header of a bzImage, from the file's beginning (Documentation/arch/x86/boot.rst). */
const bzImage = { setupSectors: 0x1f1, magic: 0x202, payloadOffset: 0x248, payloadLength: 0x24c };
const zstdMagic = 0xfd2fb528;

/**
 * The kernel in the form that boots quickest. Debian's for x86 unpacks itself when it starts, which takes an emulated
 * processor the better part of a second; unpacked here, it is an ELF file with a PVH entry point, which QEMU jumps to
 * straight away. (It starts without the random load address that the unpacker gives: as in other VM monitors' direct boot.)
 * Kernels for other architectures are left as they are.
 */
export function unpackKernel(file: Buffer): Buffer {
  if (file.length < 0x250 || file.toString('latin1', bzImage.magic, bzImage.magic + 4) !== 'HdrS') return file;
  const setupBytes = ((file[bzImage.setupSectors] ?? 0) + 1) * 512;
  const start = setupBytes + file.readUInt32LE(bzImage.payloadOffset);
  // The last four bytes of the payload hold its unpacked size.
  const payload = file.subarray(start, start + file.readUInt32LE(bzImage.payloadLength) - 4);
  if (payload.length < 4 || payload.readUInt32LE(0) !== zstdMagic) {
    throw new MachineError(
      'image-unavailable',
      "The recipe's kernel is packed in a way that the image builder does not know; it knows zstd.",
    );
  }
  const kernel = zstdDecompressSync(payload);
  if (!isElf(kernel))
    throw new MachineError('image-unavailable', "The recipe's kernel does not unpack to an ELF file.");
  return kernel;
}
