import type { ShareChange } from '../machines.ts';
import { MachineError } from '../machines.ts';
import { storedSettings } from '../settings/driver-settings.ts';
import { assertShareable, describeShare, parseShare } from '../shares/share.ts';
import { noShare, sharesKey, sharesOf } from '../shares/share-setting.ts';
import type { MachineSession } from './machine-session.ts';

/** What a machine shares from now on. Its host agent sees the document change, and tells the engine. The caller holds the lock. */
export async function shareFolders(session: MachineSession, change: ShareChange): Promise<void> {
  const { driver, document, name } = session;
  if (!driver.settings.fields.some(({ key }) => key === sharesKey))
    throw new MachineError(
      'not-supported',
      `Machine "${name}" shares no folders: its engine runs on this computer and has them all`,
    );
  let shares = sharesOf(driver, document.settings);
  for (const text of change.remove) {
    const { hostPath, machinePath } = parseShare(text);
    const left = shares.filter((share) => share.hostPath !== hostPath && share.machinePath !== machinePath);
    if (left.length === shares.length)
      throw new MachineError(
        'invalid-setting',
        `Machine "${name}" does not share ${text}; it shares: ${shares.map(describeShare).join(', ') || 'nothing'}`,
      );
    shares = left;
  }
  const added = change.add.map(parseShare);
  added.forEach(assertShareable);
  // The same folder again, with another mode say, takes the place of the one before.
  const kept = shares.filter((share) => !added.some(({ machinePath }) => machinePath === share.machinePath));
  const texts = [...kept, ...added].map(describeShare);
  const wanted = { ...document.settings, [sharesKey]: texts.length === 0 ? [noShare] : texts };
  const settings = storedSettings(driver.settings.fields, { ...driver.settings.resolve(wanted) });
  await session.change({ settings });
}
