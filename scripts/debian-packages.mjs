/** Debian packages by what they are for. What the machine image needs to be built stands in provisioners/machine-image/host-packages.ts, and a test compares. */
const qemu =
  process.arch === 'arm64'
    ? ['qemu-system-arm', 'qemu-efi-aarch64', 'ipxe-qemu']
    : ['qemu-system-x86', 'seabios', 'ipxe-qemu'];
const image = ['mmdebstrap', 'erofs-utils', 'xz-utils', 'binutils', 'tar', 'debian-archive-keyring'];
const engine = ['crun', 'nftables', 'libnftables1', 'iproute2', 'busybox-static', 'tini'];
const tests = ['chromium', 'openssh-server', 'qemu-utils', 'e2fsprogs', 'cpio', 'dosfstools', 'gdisk'];
/** To boot disks as other hypervisors do; on arm64 it is among QEMU's own. */
const firmware = process.arch === 'arm64' ? [] : ['ovmf'];

/** @param {'start' | 'engine' | 'test' | 'bench'} task */
export function debianPackages(task) {
  switch (task) {
    case 'start':
      return [...qemu, ...image];
    case 'engine':
      return engine;
    case 'test':
      return [...qemu, ...image, ...engine, ...tests, ...firmware];
    case 'bench':
      return [...qemu, ...image, ...engine, 'iptables', 'runc'];
    default:
      throw new Error(`no such task: ${task}`);
  }
}
