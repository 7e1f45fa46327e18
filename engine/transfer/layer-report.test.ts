import { expect, it } from 'vitest';
import type { ProgressMessage } from '../../api/images.ts';
import { parseDigest } from '../model/ids.ts';
import { LayerReport } from './layer-report.ts';

const digest = parseDigest(`sha256:${'ab'.repeat(32)}`);

function reported(): { readonly report: LayerReport; readonly states: () => readonly string[]; nowMs: number } {
  const told: ProgressMessage[] = [];
  const clock = { nowMs: 0 };
  const report = new LayerReport({ digest, totalBytes: 100, tell: (one) => told.push(one), nowMs: () => clock.nowMs });
  const shown = ({ status, progressDetail }: ProgressMessage): string =>
    progressDetail?.current === undefined ? (status ?? '') : `${status} ${progressDetail.current}`;
  return Object.assign(clock, { report, states: () => told.map(shown) });
}

it('tells docker’s states in docker’s order, also when the unpack is through before the download is on the disk', () => {
  const { report, states } = reported();
  report.say('Pulling fs layer');
  report.listener.onState('downloading');
  report.listener.onProgress(100);
  report.onUnpack(60);
  report.onUnpack(100);
  report.listener.onState('verifying');
  report.onAdded();
  report.listener.onState('complete');
  expect(states()).toEqual([
    'Pulling fs layer',
    'Downloading 100',
    'Verifying Checksum',
    'Download complete',
    'Extracting 100',
    'Pull complete',
  ]);
});

it('counts at most ten times a second, and always at the end', () => {
  const told = reported();
  for (let bytes = 10; bytes <= 100; bytes += 10) {
    told.report.count('Pushing', bytes);
    told.nowMs += 40;
  }
  expect(told.states()).toEqual(['Pushing 10', 'Pushing 40', 'Pushing 70', 'Pushing 100']);
});
