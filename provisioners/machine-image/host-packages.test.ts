import { describe, expect, it } from 'vitest';
import { hostArchitecture, imageBuildPackages, missingImageBuildPackages } from './host-packages.ts';

describe('what building an image needs', () => {
  it('is named by Debian package, the keys of the archive among them', () => {
    expect(imageBuildPackages(hostArchitecture() ?? 'amd64')).toEqual([
      'mmdebstrap',
      'erofs-utils',
      'xz-utils',
      'binutils',
      'tar',
      'debian-archive-keyring',
    ]);
  });

  it("includes the other architecture's strip where that is built", () => {
    const other = hostArchitecture() === 'arm64' ? 'amd64' : 'arm64';
    expect(imageBuildPackages(other)).toContain(
      other === 'arm64' ? 'binutils-aarch64-linux-gnu' : 'binutils-x86-64-linux-gnu',
    );
    expect(missingImageBuildPackages({ arch: other, environment: { PATH: '/nonexistent' } })).toContain(
      `binutils-${other === 'arm64' ? 'aarch64' : 'x86-64'}-linux-gnu`,
    );
  });

  it('has no image for a processor that Skiff does not know', () => {
    expect([hostArchitecture('x64'), hostArchitecture('arm64'), hostArchitecture('riscv64')]).toEqual([
      'amd64',
      'arm64',
      null,
    ]);
  });
});
