import { describe, expect, it } from 'vitest';
import { parseDeb822Sources, parseOneLineSources, parsePackageList, sourcesForSuite } from './debian-packages.ts';

const deb822 = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Trusted: yes
`;

describe("this computer's package sources", () => {
  it('are read from the deb822 form, without those that are disabled', () => {
    const keys = ['/usr/share/keyrings/debian-archive-keyring.gpg'];
    expect(parseDeb822Sources(deb822)).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm', signedBy: keys },
      { uri: 'http://mirror.example/debian', suite: 'bookworm-updates', signedBy: keys },
      { uri: 'http://mirror.example/debian-security', suite: 'bookworm-security', signedBy: [] },
    ]);
  });

  it('are read from the one-line form; of the options only the keys are kept', () => {
    const text = `# deb http://old.example/debian bookworm main
deb [arch=amd64 trusted=yes signed-by=/k.gpg] http://mirror.example/debian bookworm main non-free
deb-src http://mirror.example/debian bookworm main
deb http://other.example/apt stable main
deb http://mirror.example/debian bookworm contrib
`;
    expect(parseOneLineSources(text)).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm', signedBy: ['/k.gpg'] },
      { uri: 'http://other.example/apt', suite: 'stable', signedBy: [] },
    ]);
  });

  it("become the sources of the image's release, foreign archives left out and nothing marked as trusted", () => {
    const sources = [...parseDeb822Sources(deb822), { uri: 'http://other.example/apt', suite: 'stable', signedBy: [] }];
    expect(sourcesForSuite({ sources, ownCodename: 'bookworm', suite: 'trixie' })).toEqual([
      'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian trixie main',
      'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian trixie-updates main',
      'deb http://mirror.example/debian-security trixie-security main',
    ]);
  });
});

describe('the list of downloaded packages', () => {
  it('is read from the names of the archives, sorted', () => {
    expect(parsePackageList('partial\nlock\nzlib1g_1%3a1.3-1+b1_amd64.deb\nadduser_3.152_all.deb\n')).toEqual([
      'adduser 3.152',
      'zlib1g 1:1.3-1+b1',
    ]);
  });
});
