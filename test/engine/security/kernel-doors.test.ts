import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const families = { unix: 1, alg: 38, vsock: 40 };
const isPermitted = 253; // the descriptor 3, negated
const notPermitted = 1; // EPERM

/** CVE-2026-31431 and its kin: parts of the kernel that containers have no business with. */
describeWith(['linux', 'root', { program: 'crun' }], 'security: doors into the kernel', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let folder: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-doors-'));
    for (const [name, family] of Object.entries(families)) {
      writeFileSync(path.join(folder, `${name}64`), socketProgram64(family), { mode: 0o755 });
      writeFileSync(path.join(folder, `${name}32`), socketProgram32(family), { mode: 0o755 });
    }
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const exitCodeOf = async (program: string, host: object = {}): Promise<number> =>
    (await boxes.run([`/doors/${program}`], { host: { Binds: [`${folder}:/doors:ro`], ...host } })).exitCode;

  const isX64 = process.arch === 'x64';
  describe.skipIf(!isX64)(`sockets${isX64 ? '' : ' (skipped: the programs are for x86-64)'}`, () => {
    it('of the kernel’s cryptography and of the machine’s host are refused', async () => {
      expect(await exitCodeOf('unix64')).toBe(isPermitted);
      expect(await exitCodeOf('alg64')).toBe(notPermitted);
      expect(await exitCodeOf('vsock64')).toBe(notPermitted);
    });

    it('to 32-bit programs too', async () => {
      expect(await exitCodeOf('unix32')).toBe(isPermitted);
      expect(await exitCodeOf('alg32')).toBe(notPermitted);
      expect(await exitCodeOf('vsock32')).toBe(notPermitted);
    });

    it('are the kernel’s to give without a filter', async () => {
      expect(await exitCodeOf('vsock64', { SecurityOpt: ['seccomp=unconfined'] })).not.toBe(notPermitted);
    });
  });

  it('files that tell of the whole computer are empty', async () => {
    const script =
      'for f in interrupts kcore keys timer_list sched_debug; do cat /proc/$f 2>/dev/null | head -c1; done; ls /sys/firmware /sys/devices/virtual/powercap 2>/dev/null';
    expect((await boxes.run(script)).output.replaceAll(/^\/sys.*:$/gm, '').trim()).toBe('');
  });

  it('a core pattern, a module, a key and the clock are out of reach', async () => {
    const script = [
      'echo x > /proc/sys/kernel/core_pattern',
      'echo b > /proc/sysrq-trigger',
      'mount -t proc p /tmp',
      'adjtimex -f 1',
      'insmod /bin/busybox',
      'mknod /tmp/disk b 254 0 && head -c1 /tmp/disk',
    ];
    const { output } = await boxes.run(
      script.map((line) => `(${line}) >/dev/null 2>&1 && echo "DONE: ${line}"`).join('\n'),
    );
    expect(output).toBe('');
  });
});

const base = 0x400000;

/** ELF for Linux: a header, one segment, code. Exit code: the error of socket(family, SOCK_SEQPACKET or STREAM, 0), or the descriptor negated. */
function socketProgram64(family: number): Buffer {
  const header = Buffer.alloc(64 + 56);
  header.write('\x7fELF', 0, 'latin1');
  header.set([2, 1, 1], 4);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(base + header.length), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const code = Buffer.from([
    ...[0xb8, 41, 0, 0, 0], // mov eax, socket
    ...[0xbf, family, 0, 0, 0], // mov edi, family
    ...[0xbe, kindOf(family), 0, 0, 0], // mov esi, kind
    ...[0x31, 0xd2, 0x0f, 0x05], // xor edx, edx; syscall
    ...[0xf7, 0xd8, 0x89, 0xc7], // neg eax; mov edi, eax
    ...[0xb8, 60, 0, 0, 0, 0x0f, 0x05], // mov eax, exit; syscall
  ]);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(BigInt(base), 80);
  header.writeBigUInt64LE(BigInt(base), 88);
  header.writeBigUInt64LE(BigInt(header.length + code.length), 96);
  header.writeBigUInt64LE(BigInt(header.length + code.length), 104);
  header.writeBigUInt64LE(4096n, 112);
  return Buffer.concat([header, code]);
}

function socketProgram32(family: number): Buffer {
  const header = Buffer.alloc(52 + 32);
  header.write('\x7fELF', 0, 'latin1');
  header.set([1, 1, 1], 4);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(3, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(base + header.length, 24);
  header.writeUInt32LE(52, 28);
  header.writeUInt16LE(52, 40);
  header.writeUInt16LE(32, 42);
  header.writeUInt16LE(1, 44);
  const code = Buffer.from([
    ...[0xb8, 0x67, 1, 0, 0], // mov eax, socket (359)
    ...[0xbb, family, 0, 0, 0], // mov ebx, family
    ...[0xb9, kindOf(family), 0, 0, 0], // mov ecx, kind
    ...[0x31, 0xd2, 0xcd, 0x80], // xor edx, edx; int 0x80
    ...[0xf7, 0xd8, 0x89, 0xc3], // neg eax; mov ebx, eax
    ...[0xb8, 1, 0, 0, 0, 0xcd, 0x80], // mov eax, exit; int 0x80
  ]);
  header.writeUInt32LE(1, 52);
  header.writeUInt32LE(base, 60);
  header.writeUInt32LE(base, 64);
  header.writeUInt32LE(header.length + code.length, 68);
  header.writeUInt32LE(header.length + code.length, 72);
  header.writeUInt32LE(5, 76);
  header.writeUInt32LE(4096, 80);
  return Buffer.concat([header, code]);
}

function kindOf(family: number): number {
  return family === families.alg ? 5 : 1;
}
