import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundedLog } from './bounded-log.ts';

describe('a bounded log', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-log-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('puts the time before each line and keeps the file from other users', () => {
    const path = join(folder, 'agent.log');
    boundedLog(path, { limitBytes: 1000, now: () => new Date('2026-01-02T03:04:05Z') })('begins');
    expect(readFileSync(path, 'utf8')).toBe('2026-01-02T03:04:05.000Z begins\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('never takes more than twice its limit, and keeps the newest lines', () => {
    const path = join(folder, 'agent.log');
    const log = boundedLog(path, { limitBytes: 500, now: () => new Date(0) });
    for (let index = 0; index < 100; index++) log(`line ${index}`);
    expect(readdirSync(folder).sort()).toEqual(['agent.log', 'agent.log.1']);
    expect(statSync(path).size + statSync(`${path}.1`).size).toBeLessThanOrEqual(1000);
    expect(readFileSync(path, 'utf8')).toMatch(/line 99\n$/);
  });

  it('goes on in the file of an earlier process', () => {
    const path = join(folder, 'agent.log');
    const options = { limitBytes: 60, now: () => new Date(0) };
    boundedLog(path, options)('first');
    boundedLog(path, options)('second');
    expect(readFileSync(path, 'utf8')).toContain('second');
    expect(readFileSync(`${path}.1`, 'utf8')).toContain('first');
  });
});
