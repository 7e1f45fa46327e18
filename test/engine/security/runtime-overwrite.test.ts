import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findCrun } from '../../../engine/runtime/crun.ts';
import { describeWith } from '../../skip.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

/**
 * CVE-2019-5736: the runtime that enters a container for an exec can be found there as /proc/<pid>/exe, held open, and
 * written to once it has ended. The attacker here tries that with every process that it sees, all the time.
 */
const attacker = `
while :; do
  for p in /proc/[0-9]*; do
    case $(readlink $p/exe) in *busybox*|"") ;; *)
      { echo "seen $(readlink $p/exe)"; (: >> $p/exe) && echo "WRITTEN $p"; (exec 3< $p/exe; (: >> /proc/self/fd/3) && echo "WRITTEN 3"); } 2>/dev/null;;
    esac
  done
done`;

describeWith(['linux', 'root', { program: 'crun' }], 'security: the runtime’s program', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  it('cannot be written to by a container that it enters', async () => {
    const { program } = await findCrun();
    const before = fingerprint(program);
    const id = await boxes.keep({}, ['sh', '-c', attacker]);
    const run = async (): Promise<number> => (await docker(engine.socket, ['exec', id, 'true'])).exitCode;
    for (let round = 0; round < 15; round++) expect(await Promise.all([run(), run()])).toEqual([0, 0]);
    expect(await boxes.output(id)).not.toContain('WRITTEN');
    expect(fingerprint(program)).toBe(before);
    await boxes.remove(id);
  });
});

function fingerprint(file: string): string {
  const { size, mtimeMs } = statSync(file);
  return `${size} ${mtimeMs} ${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
}
