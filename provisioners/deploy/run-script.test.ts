import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { imageLayout } from './machine-layout.ts';
import { runScript } from './run-script.ts';

const stages = new URL('../../resources/machine-image/root/usr/lib/skiff/stages.sh', import.meta.url);
const node = `${imageLayout.systemRuntime}/bin/node`;

/** How the machine image starts the Node that waits for an engine. */
const waiting = /^waiting_node="(.*)"$/m.exec(readFileSync(stages, 'utf8'))?.[1];

it("runs the engine just as the machine image's Node runs that waits for one, so that it can be handed over", () => {
  expect(runScript({ layout: imageLayout, node, group: null })).toContain(`"$SKIFF_WAITING_NODE" = '${waiting}'`);
});

it('starts a Node of its own where another one waits', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skiff-run-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const shown = join(folder, 'node');
  writeFileSync(shown, '#!/bin/sh\necho "${SKIFF_WAITING_NODE-none}" "$SKIFF_RELEASE" "$@"\n', { mode: 0o755 });
  const run = join(folder, 'run');
  writeFileSync(run, runScript({ layout: imageLayout, node: shown, group: 'docker' }), { mode: 0o755 });
  const env = { ...process.env, SKIFF_WAITING_NODE: waiting };
  const said = execFileSync(run, ['--debug'], { encoding: 'utf8', env });
  expect(said).toMatch(new RegExp(`^none ${folder} .*/skiffd\\.js -H unix:.* --group docker --debug\\n$`));
});
