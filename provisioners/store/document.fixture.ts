import type { MachineDocument } from './machine-document.ts';
import { documentVersion } from './machine-document.ts';

/** The document of a machine that is made and was never changed since. */
export function readyDocument(name: string, change: Partial<MachineDocument> = {}): MachineDocument {
  return {
    version: documentVersion,
    id: '0123456789abcdef'.repeat(2),
    name,
    driver: 'qemu',
    createdAt: '2026-01-02T03:04:05Z',
    settings: {},
    lifecycle: { phase: 'ready' },
    driverMemory: {},
    facts: {},
    resources: [],
    engine: null,
    dockerContext: null,
    ...change,
  };
}
