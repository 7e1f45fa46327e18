import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Database, openDatabase } from './database.ts';

let folder: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'skiff-database-'));
  database = openDatabase(folder);
  database.sql.exec('CREATE TABLE things (name TEXT)');
});
afterEach(() => {
  database[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const full = 2;
const normal = 1;
const synchronous = (): unknown => database.sql.prepare('PRAGMA synchronous').get()?.['synchronous'];
const add = (name: string): unknown => database.sql.prepare('INSERT INTO things VALUES (?)').run(name);
const names = (): unknown[] =>
  database.sql
    .prepare('SELECT name FROM things')
    .all()
    .map((row) => row['name']);

it('waits for the disk in each transaction but the ordered ones', () => {
  expect(database.transaction(synchronous)).toBe(full);
  expect(database.transaction(synchronous, 'ordered')).toBe(normal);
  expect(database.transaction(synchronous)).toBe(full);
  expect(synchronous()).toBe(full);
});

it('takes all of a transaction back that fails, and waits for the disk again after it', () => {
  const fail = (): never => {
    add('half');
    throw new Error('given up');
  };
  expect(() => database.transaction(fail, 'ordered')).toThrow('given up');
  expect(synchronous()).toBe(full);
  database.transaction(() => add('whole'), 'ordered');
  expect(names()).toEqual(['whole']);
});

it('has what was ordered after an end without warning', () => {
  database.transaction(() => add('kept'), 'ordered');
  using other = openDatabase(folder);
  expect(other.sql.prepare('SELECT name FROM things').get()).toEqual({ name: 'kept' });
});
