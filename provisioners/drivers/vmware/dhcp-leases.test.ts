import { expect, it } from 'vitest';
import { findVmwareLease } from './dhcp-leases.ts';

const entry = (address: string, card: string): string =>
  `lease ${address} {\n\tstarts 2 2026/11/17 20:05:20;\n\tends 2 2026/11/17 20:35:20;\n\thardware ethernet ${card};\n\tclient-hostname "web";\n}\n`;
const card = '00:50:56:01:02:03';

it('finds the address of a card, the last of several', () => {
  const text = `# All times in this file are in UTC.\n${entry('192.168.9.128', card)}${entry('192.168.9.129', '00:50:56:3F:02:04')}${entry('192.168.9.130', card)}`;
  expect(findVmwareLease(text, card)).toBe('192.168.9.130');
  expect(findVmwareLease(text, '00:50:56:3f:02:04')).toBe('192.168.9.129');
});

it('finds nothing where there is none, in half an entry, or where no address stands', () => {
  expect(findVmwareLease('', card)).toBeNull();
  expect(findVmwareLease(entry('192.168.9.128', '00:50:56:01:02:04'), card)).toBeNull();
  expect(findVmwareLease(`lease 192.168.9.128 {\n\thardware ethernet ${card};\n`, card)).toBeNull();
  expect(findVmwareLease(entry('everywhere', card), card)).toBeNull();
});
