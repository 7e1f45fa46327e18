/** A stand-in for skiffd that a test can kill: starts one container and stays. */
import { readFileSync } from 'node:fs';
import type { StartRequest } from '../monitor/monitor.ts';
import { openMonitor, type OpenMonitorOptions } from '../monitor/open-monitor.ts';

interface Task {
  readonly options: Omit<OpenMonitorOptions, 'report'>;
  readonly request: StartRequest;
}

const task = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Task;
const monitor = await openMonitor({ ...task.options, report: (message) => process.stderr.write(`${message}\n`) });
const { pid } = await monitor.start(task.request);
process.stdout.write(`started ${pid}\n`);
