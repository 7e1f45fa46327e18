/** skiffd ends with KILL while an image is half loaded, imported, committed or removed: it is whole or gone afterwards, and so are its layers. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

type Verb = 'load' | 'import' | 'commit' | 'rmi';

const scenarios: readonly (readonly [point: string, verb: Verb, outcome: 'gone' | 'whole'])[] = [
  ['image:spooled', 'load', 'gone'],
  ['image:unpacked', 'load', 'gone'],
  ['image:published', 'load', 'whole'],
  ['image:unpacked', 'import', 'gone'],
  ['image:unpacked', 'commit', 'gone'],
  ['image:removed', 'rmi', 'gone'],
];

describeWith(['linux', 'root', { program: 'crun' }], 'skiffd killed while an image comes or goes', () => {
  let engine: RunningEngine;
  let scratch: string;
  let emptyLayers: readonly string[];
  beforeAll(async () => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-faults-'));
    engine = await startEngine();
    await cli('create', '--name', 'maker', 'hello', 'true');
    writeFileSync(path.join(scratch, 'new'), 'new');
    await cli('cp', path.join(scratch, 'new'), 'maker:/new');
    emptyLayers = left('layers');
    writeFileSync(path.join(scratch, 'root.tar'), Buffer.concat([file('content', randomBytes(300_000)), endOfArchive]));
    await cli('import', path.join(scratch, 'root.tar'), 'victim');
    await cli('save', '-o', path.join(scratch, 'image.tar'), 'victim');
    await cli('rmi', 'victim');
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const left = (folder: string): readonly string[] => {
    const all = path.join(engine.dataRoot, folder);
    return existsSync(all) ? readdirSync(all).toSorted() : [];
  };
  const has = async (name: string): Promise<boolean> =>
    (await call(engine.socket, 'GET', `/images/${name}/json`)).status === 200;
  const cli = async (...words: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await docker(engine.socket, words);
    if (exitCode !== 0) throw new Error(stderr);
  };
  const make = (verb: Verb): Promise<void> => {
    switch (verb) {
      case 'load':
        return cli('load', '-i', path.join(scratch, 'image.tar'));
      case 'import':
        return cli('import', path.join(scratch, 'root.tar'), 'victim');
      case 'commit':
        return cli('commit', 'maker', 'victim');
      case 'rmi':
        return cli('rmi', 'victim');
    }
  };

  it.each(scenarios)('at %s of %s it is %s', async (point, verb, outcome) => {
    if (verb === 'rmi') await make('load');
    engine.dieAt(point);
    const pid = engine.pid();
    await expect(make(verb)).rejects.toThrow(); // nobody is there to answer
    await eventually('the end', () => (isAlive(pid) ? null : true));
    await engine.crash();
    await engine.start();
    expect(await has('victim')).toBe(outcome === 'whole');
    expect(left('incoming')).toEqual([]);
    if (outcome === 'gone') expect(left('layers')).toEqual(emptyLayers);
    // And it can be made anew, used and removed.
    if (outcome === 'whole') await cli('rmi', 'victim');
    await make(verb === 'rmi' ? 'load' : verb);
    await cli('save', '-o', path.join(scratch, 'again.tar'), 'victim');
    await cli('rmi', 'victim');
    expect(left('layers')).toEqual(emptyLayers);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
