import type { SeedNetwork } from '../../machine-image/seed.ts';
import { writeSeed } from '../../machine-image/seed.ts';
import type { DriverMachine } from '../driver.ts';

/** The seed disk of a machine: who it is, its keys, its network. */
export function seedOf({ name, keys }: Pick<DriverMachine, 'name' | 'keys'>, network: SeedNetwork): Buffer {
  return writeSeed({
    name,
    hostname: name.replaceAll('.', '-').replace(/-+$/, ''),
    network,
    hostKey: keys.host,
    authorizedKeys: [keys.identity.publicKey],
  });
}

/** For hypervisors whose disks are made of whole mebibytes. */
export function toWholeMebibytes(bytes: Buffer): Buffer {
  const wholeBytes = Math.ceil(bytes.length / 1024 ** 2) * 1024 ** 2;
  return Buffer.concat([bytes, Buffer.alloc(wholeBytes - bytes.length)]);
}
