import { api, docker, topic } from '../step.ts';

const proof = (password: string): Readonly<Record<string, string>> => ({
  'X-Registry-Auth': Buffer.from(JSON.stringify({ username: 'ada', password })).toString('base64'),
});
const zeros = '0'.repeat(64);
const login = (password: string): object => ({ username: 'ada', password, serveraddress: '%guarded%' });

/** Questions to registries; `%guarded%` lets in `ada` with `pw`. */
export const registries = [
  topic(
    'registries',
    api('GET', '/distribution/%registry%/seed:1/json'),
    api('GET', '/distribution/%registry%/many:1/json'),
    api('GET', '/distribution/%registry%/seed:none/json'),
    api('GET', '/distribution/%registry%/nobody/json'),
    api('GET', `/distribution/%registry%/seed@sha256:${zeros}/json`),
    api('GET', '/distribution/%registry%/UPPER/json'),
    api('GET', '/distribution/127.0.0.1:1/x/json'),
    api('GET', '/distribution/%guarded%/x/json'),
    api('GET', '/distribution/%guarded%/x/json', undefined, proof('wrong')),
    api('GET', '/distribution/%guarded%/x/json', undefined, proof('pw')),
    api('POST', '/auth', login('pw')),
    api('POST', '/auth', login('wrong')),
    api('POST', '/auth', { serveraddress: '%guarded%' }),
    api('POST', '/auth', { serveraddress: '%registry%' }),
    api('POST', '/auth', { username: 'a', password: 'b', serveraddress: 'https://127.0.0.1:1/v1/' }),
    api('POST', '/images/create?fromImage=%guarded%/x&tag=1'),
    api('POST', '/images/create?fromImage=%guarded%/x&tag=1', undefined, proof('wrong')),
    api('POST', '/images/create?fromImage=%guarded%/x&tag=1', undefined, proof('pw')),
    api('POST', '/images/create?fromImage=%guarded%/x', undefined, proof('wrong')),
    api('POST', '/images/create?fromImage=%guarded%/x&tag=1', undefined, { 'X-Registry-Auth': 'rubbish' }),
    // An image of its own: other topics look at the names of theirs.
    docker('create -q --name @made box'),
    docker('commit @made %guarded%/@team:1'),
    api('POST', '/images/%guarded%/@team/push?tag=1', undefined, { 'X-Registry-Auth': 'e30=' }),
    api('POST', '/images/%guarded%/@team/push?tag=1', undefined, proof('wrong')),
    docker('rmi %guarded%/@team:1', { isUnordered: true }),
    docker('rm @made'),
    docker('login -u ada -p wrong %guarded%'),
    docker('pull %guarded%/x:1'),
    docker('search %registry%/seed'),
    docker('search --limit 101 x'),
    docker('search --filter nonsense=1 x'),
    docker('search --filter stars=many x'),
    docker('search --filter is-official=maybe x'),
    docker('search http://x/y'),
    api('GET', '/images/search?term=x&limit=a'),
    docker('info --format "{{.IndexServerAddress}} {{json .RegistryConfig}} {{.HTTPProxy}}"'),
  ),
];
