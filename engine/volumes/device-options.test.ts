import { describe, expect, it } from 'vitest';
import { assertVolumeOptions, deviceMount } from './device-options.ts';
import { assertVolumeName } from './volume-name.ts';

describe('a volume’s name', () => {
  it.each(['ab', 'a.b', 'A_b-c.9', '0'.repeat(64)])('%s is one', (name) => {
    expect(() => assertVolumeName(name)).not.toThrow();
  });
  it.each(['', 'a', '..', '.a', '-a', 'a/b', 'a b', 'a\0b', 'a\n', 'é9', 'a'.repeat(256)])('%j is none', (name) => {
    expect(() => assertVolumeName(name)).toThrow(/^create /);
  });
});

describe('the options of a volume', () => {
  it('are passed on to mount(2): flags by their names, the rest to the file system', async () => {
    expect(await deviceMount({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m,ro,noexec,uid=5' })).toEqual({
      source: 'tmpfs',
      type: 'tmpfs',
      flags: 0x9,
      data: 'size=1m,uid=5',
    });
    expect(await deviceMount({ type: 'none', device: '/srv', o: 'bind' })).toMatchObject({ flags: 0x1000, data: '' });
    expect(await deviceMount({ type: 'nfs', device: ':/x', o: 'addr=127.0.0.1,rw,nolock' })).toMatchObject({
      data: 'addr=127.0.0.1,nolock',
    });
    expect(await deviceMount({})).toBeNull();
  });

  it.each([
    [{ size: '10x' }, "create v: invalid size: '10x'"],
    [{ o: 'bind' }, 'create v: missing required option: "device"'],
    [{ other: '' }, 'create v: invalid option: "other"'],
  ])('%j: %s', (options, message) => {
    expect(() => assertVolumeOptions('v', options)).toThrow(message);
  });
});
