/** The explorer program: one job at a time over Node's IPC channel, file calls synchronous. Started by `Explorer`; a release bundles it as an entry of its own. */
import { dieWithParent } from '../kernel/die-with-parent.ts';
import { EngineError } from '../model/errors.ts';
import { ExplorerJobs } from './explorer-jobs.ts';
import type { ExplorerJob, ExplorerReport } from './explorer-protocol.ts';

const jobs = new ExplorerJobs();
const report = (message: ExplorerReport): void => void process.send?.(message);

dieWithParent();
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  try {
    report({ kind: 'done', result: jobs.run(message as ExplorerJob) }); // from our own parent, of the same build
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    report({ kind: 'failed', error: error instanceof EngineError ? error.kind : 'internal', message: text });
  }
});
