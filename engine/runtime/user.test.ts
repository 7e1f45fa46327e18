import { expect, it } from 'vitest';
import { resolveUser } from './user.ts';

const files = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\nana:x:1000:1001::/home/ana:\nnohome:x:7:7:::\n',
  '/etc/group': 'root:x:0:\nana:x:1001:\nwheel:x:10:root,ana\nvideo:x:44:ana\n',
};
const read = (path: keyof typeof files): string => files[path];

it.each([
  ['', { uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' }],
  ['ana', { uid: 1000, gid: 1001, additionalGids: [1001, 10, 44], home: '/home/ana' }],
  ['1000', { uid: 1000, gid: 1001, additionalGids: [1001, 10, 44], home: '/home/ana' }],
  ['ana:video', { uid: 1000, gid: 44, additionalGids: [44], home: '/home/ana' }],
  ['1234', { uid: 1234, gid: 0, additionalGids: [0], home: '/' }],
  ['1234:5678', { uid: 1234, gid: 5678, additionalGids: [5678], home: '/' }],
  ['nohome', { uid: 7, gid: 7, additionalGids: [7], home: '/' }],
])('resolves %j within the image', (user, expected) => {
  expect(resolveUser(user, read)).toEqual(expected);
});

it('83: adds groups by name and number, each once, the own one among them', () => {
  expect(resolveUser('ana', read, ['44', 'wheel', '99']).additionalGids).toEqual([1001, 10, 44, 99]);
});

it('says who or what is not there', () => {
  expect(() => resolveUser('bob', read)).toThrow('unable to find user bob: no matching entries in passwd file');
  expect(() => resolveUser('ana:nosuch', read)).toThrow(
    'unable to find group nosuch: no matching entries in group file',
  );
  expect(() => resolveUser('4294967296', read)).toThrow('uids and gids must be in range 0-2147483647');
});

it('does without the files', () => {
  expect(resolveUser('0', () => null)).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '/' });
  expect(() => resolveUser('ana', () => null)).toThrow('unable to find user ana');
});
