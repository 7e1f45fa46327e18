import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { driverSettings } from '../settings/driver-settings.ts';
import { describeShare, parseShare, sharedFolder } from './share.ts';
import { shareSetting, sharesOf } from './share-setting.ts';

describe.skipIf(process.platform === 'win32')('a share', () => {
  it.each([
    ['/srv/data', { hostPath: '/srv/data', machinePath: '/srv/data', isReadOnly: false }],
    ['/srv/data/:ro', { hostPath: '/srv/data', machinePath: '/srv/data', isReadOnly: true }],
    ['/srv/data:/data', { hostPath: '/srv/data', machinePath: '/data', isReadOnly: false }],
    ['/srv/data:/data/:rw', { hostPath: '/srv/data', machinePath: '/data', isReadOnly: false }],
    ['~/x', { hostPath: `${homedir()}/x`, machinePath: `${homedir()}/x`, isReadOnly: false }],
  ])('%s is read, and says the same when it is written again', (text, share) => {
    expect(parseShare(text)).toEqual(share);
    expect(parseShare(describeShare(share))).toEqual(share);
  });

  it.each([[''], ['/a:'], ['/a:b'], ['/a:/b:/c']])('%j is refused', (text) => {
    expect(() => parseShare(text)).toThrow(/cannot be shared/);
  });

  it('has an id that depends on its path in the machine alone', () => {
    const [one, other] = ['/a:/x', '/b:/x:ro'].map((text) => sharedFolder(parseShare(text)));
    expect(one?.id).toMatch(/^[0-9a-f]{12}$/);
    expect(one?.id).toBe(other?.id);
  });
});

describe.skipIf(process.platform === 'win32')('the setting', () => {
  const settings = driverSettings({ shares: shareSetting('home') });

  it('is the home where nobody says anything, also for machines that were made before there were shares', () => {
    expect(settings.resolve({})).toEqual({ shares: [homedir()] });
    expect(sharesOf({ settings }, {}).map(describeShare)).toEqual([homedir()]);
  });

  it('knows none, which stands alone', () => {
    expect(sharesOf({ settings }, settings.resolve({ shares: ['none'] }))).toEqual([]);
    expect(() => settings.resolve({ shares: ['none', '/a'] })).toThrow('stands alone');
  });

  it('refuses two folders of one name in the machine', () => {
    expect(() => settings.resolve({ shares: ['/a:/x', '/b:/x'] })).toThrow('cannot both be /x');
  });
});
