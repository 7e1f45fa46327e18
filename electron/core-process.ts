/** Entry of the core's own process (a utility process of Electron): opens the desktop and serves it on each port that it is sent. */
import { openDesktop } from '../desktop/open-desktop.ts';
import { parseCoreSettings } from './core-settings.ts';
import { report } from './report.ts';
import { serveCore } from './serve-core.ts';

const settings = parseCoreSettings(process.argv.at(-1));
const desktop = openDesktop({
  version: settings.version,
  host: 'electron',
  capabilities: { tray: settings.hasTray, nativeDialogs: true },
  defaultMachine: settings.machine.name,
  provisioning: settings.provisioning,
  report,
});
serveCore({ desktop, parent: process.parentPort, report, exit: () => process.exit(0) });
const { driver, isPrepared } = settings.machine;
if (isPrepared) {
  // The first thing that a person wants of the app; pages show how it goes and offer to try again.
  const prepared = desktop.prepare({ settings: {}, ...(driver !== null && { driver }) });
  prepared.catch((cause: unknown) => report(new Error('the machine could not be prepared', { cause })));
}
