import { describe, expect, it } from 'vitest';
import { parseJump, parseSshConfig } from './ssh-config.ts';

const of = { name: 'web', home: '/home/me', thisUser: 'me' };

describe('an SSH configuration', () => {
  it('says where an alias leads', () => {
    const text =
      'host web\nuser admin\nhostname 192.0.2.7\nport 2222\nproxyjump gate,me@inner:2200\nidentityfile ~/.ssh/id_web\nuserknownhostsfile /a /b\nhostkeyalias web-key\n';
    expect(parseSshConfig(text, of)).toEqual({
      host: '192.0.2.7',
      port: 2222,
      user: 'admin',
      identityFiles: ['/home/me/.ssh/id_web'],
      knownHostsFiles: ['/a', '/b'],
      hostKeyAlias: 'web-key',
      jumps: ['gate', 'me@inner:2200'],
    });
  });

  it('says nothing of a user who is only this computer’s', () => {
    expect(parseSshConfig('user me', of).user).toBeNull();
  });

  it('is not needed', () => {
    expect(parseSshConfig('', of)).toMatchObject({
      host: 'web',
      port: 22,
      user: null,
      jumps: [],
      knownHostsFiles: ['/home/me/.ssh/known_hosts', '/etc/ssh/ssh_known_hosts'],
    });
  });
});

describe('a host to go through', () => {
  it.each([
    ['gate', { host: 'gate' }],
    ['me@gate:2200', { host: 'gate', user: 'me', port: 2200 }],
    ['me@[::1]:22', { host: '::1', user: 'me', port: 22 }],
    ['ssh://me@gate', { host: 'gate', user: 'me' }],
    ['', { host: '' }],
  ])('is read from %j', (text, jump) => {
    expect(parseJump(text)).toEqual(jump);
  });
});
