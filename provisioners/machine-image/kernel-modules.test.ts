import { describe, expect, it } from 'vitest';
import {
  type KernelModule,
  moduleName,
  ModuleTree,
  withoutSignature,
  writeAliasIndex,
  writeDependencyIndex,
} from './kernel-modules.ts';

function module(name: string, depends: readonly string[] = [], aliases: readonly string[] = []): KernelModule {
  return { name, path: `kernel/${name}.ko`, data: Buffer.alloc(0), depends, aliases };
}

describe('the indexes of kernel modules', () => {
  it('list what a module needs with the first to be loaded last, as modprobe reads them', () => {
    const modules = [module('a'), module('b', ['a']), module('c', ['a', 'b'])];
    expect(writeDependencyIndex(modules)).toBe(
      'kernel/a.ko:\nkernel/b.ko: kernel/a.ko\nkernel/c.ko: kernel/b.ko kernel/a.ko\n',
    );
  });

  it('do not depend on the order in which modules were found', () => {
    const modules = [module('x', ['y'], ['pci:2', 'pci:1']), module('y')];
    expect(writeDependencyIndex([...modules].reverse())).toBe(writeDependencyIndex(modules));
    expect(writeAliasIndex([...modules].reverse())).toBe('alias pci:1 x\nalias pci:2 x\n');
  });
});

describe('the tree of kernel modules', () => {
  const tree = new ModuleTree({
    folder: '/nowhere',
    paths: ['kernel/net/netfilter/nf-a.ko.xz', 'kernel/net/netfilter/ipset/set.ko.xz', 'kernel/net/x.ko'],
    signal: new AbortController().signal,
  });

  it('calls modules as the kernel does', () => {
    expect(moduleName('kernel/drivers/char/hw_random/virtio-rng.ko.xz')).toBe('virtio_rng');
    expect([tree.has('nf_a'), tree.has('nf-a')]).toEqual([true, false]);
  });

  it('finds all modules below a folder', () => {
    expect(tree.namesUnder('kernel/net/netfilter/')).toEqual(['nf_a', 'set']);
  });

  it('names the module that a recipe asks for in vain', async () => {
    await expect(tree.closure(['no_such'])).rejects.toThrow('The kernel has no module no_such');
  });
});

describe('the signature at the end of a module', () => {
  const code = Buffer.from('\x7fELF and so on');
  const mark = Buffer.from('~Module signature appended~\n');

  function signed({ signature, claimedBytes }: { signature: string; claimedBytes: number }): Buffer {
    const header = Buffer.alloc(12);
    header.writeUInt32BE(claimedBytes, 8);
    return Buffer.concat([code, Buffer.from(signature), header, mark]);
  }

  it('is taken off', () => {
    expect(withoutSignature(signed({ signature: 'PKCS#7', claimedBytes: 6 }))).toEqual(code);
  });

  it('is missing from a module that was never signed, which stays as it is', () => {
    expect(withoutSignature(code)).toEqual(code);
  });

  it('cannot be longer than the module', () => {
    expect(() => withoutSignature(signed({ signature: '', claimedBytes: 4_000 }))).toThrow('longer than itself');
  });
});
