import { expect, it } from 'vitest';
import { findMacLease } from './mac-leases.ts';

const entry = (address: string, hardware: string, lease: string): string =>
  `{\n\tname=skiff\n\tip_address=${address}\n\thw_address=${hardware}\n\tidentifier=${hardware}\n\tlease=${lease}\n}\n`;

it('finds the address of a card, whose zeros macOS leaves out', () => {
  const text =
    entry('192.168.64.2', '1,52:54:0:70:2b:71', '0x66f00000') + entry('192.168.64.3', '1,a:b:c:d:e:f', '0x66f00001');
  expect(findMacLease(text, '52:54:00:70:2b:71')).toBe('192.168.64.2');
  expect(findMacLease(text, '0A:0B:0C:0D:0E:0F')).toBe('192.168.64.3');
  expect(findMacLease(text, '52:54:00:70:2b:72')).toBeNull();
});

it('takes the newest of several, in whatever order they stand', () => {
  const old = entry('192.168.64.2', '1,2:0:0:0:0:1', '0x66f00000');
  const late = entry('192.168.64.9', '1,2:0:0:0:0:1', '0x66f10000');
  expect(findMacLease(late + old, '02:00:00:00:00:01')).toBe('192.168.64.9');
  expect(findMacLease(old + late, '02:00:00:00:00:01')).toBe('192.168.64.9');
});

it('finds nothing in an empty file, in a half entry, or where no address stands', () => {
  expect(findMacLease('', '02:00:00:00:00:01')).toBeNull();
  expect(findMacLease('{\n\tip_address=192.168.64.2\n\thw_address=1,2:0:0:0:0:1\n', '02:00:00:00:00:01')).toBeNull();
  expect(findMacLease(entry('everywhere', '1,2:0:0:0:0:1', '0x1'), '02:00:00:00:00:01')).toBeNull();
});
