import { describe, expect, it } from 'vitest';
import { quietSettings } from './registry-world.ts';
import { assertTokenHost } from './token-hosts.ts';

const settings = {
  ...quietSettings,
  insecure: ['plain.example'],
  tokenServers: [{ registry: 'own.example', host: 'elsewhere.example' }],
};
const check = (registry: string, realm: string, proof: 'credentials' | 'anonymous' = 'credentials'): void =>
  assertTokenHost({ registry: new URL(registry), realm: new URL(realm), proof }, settings);

describe('credentials', () => {
  it.each([
    ['Docker Hub', 'https://registry-1.docker.io', 'https://auth.docker.io/token'],
    ['GitLab', 'https://registry.gitlab.com', 'https://gitlab.com/jwt/auth'],
    ['a GitLab of one’s own', 'https://registry.git.example.com:5050', 'https://git.example.com/jwt/auth'],
    ['GitHub', 'https://ghcr.io', 'https://ghcr.io/token'],
    ['Harbor', 'https://harbor.example.com', 'https://harbor.example.com/service/token'],
    ['another port', 'https://registry.example.com:5000', 'https://registry.example.com:5001/auth'],
    ['DigitalOcean', 'https://registry.digitalocean.com', 'https://api.digitalocean.com/v2/registry/auth'],
    ['Scaleway', 'https://rg.fr-par.scw.cloud', 'https://api.scaleway.com/registry-internal/v1/token'],
    ['a token server that the settings name', 'https://own.example', 'https://elsewhere.example/token'],
    ['an address', 'https://10.0.0.1:5000', 'https://10.0.0.1/token'],
    ['a registry on this computer', 'http://127.0.0.1:5000', 'http://127.0.0.1:5001/token'],
    ['an insecure registry', 'http://plain.example', 'http://plain.example:81/token'],
  ])('go to the token server of %s', (_name, registry, realm) => {
    expect(() => check(registry, realm)).not.toThrow();
  });

  it.each([
    ['another site', 'https://registry.example.com', 'https://evil.example.net/token'],
    ['a neighbour below a country’s ending', 'https://one.co.uk', 'https://two.co.uk/token'],
    ['a neighbour at a host of strangers', 'https://one.github.io', 'https://two.github.io/token'],
    ['a neighbour in a cloud', 'https://a.elb.amazonaws.com', 'https://b.elb.amazonaws.com/token'],
    ['a name that only ends alike', 'https://registry.example.com', 'https://evilexample.com/token'],
    ['a name with the registry’s in front', 'https://docker.io', 'https://docker.io.evil.example/token'],
    ['another address', 'https://10.0.0.1', 'https://10.0.0.2/token'],
    ['another top', 'https://ghcr.io', 'https://gcr.io/token'],
    ['plain HTTP', 'https://registry.example.com', 'http://registry.example.com/token'],
    ['plain HTTP from an insecure registry to another host', 'http://plain.example', 'http://evil.example/token'],
    ['this computer, from an insecure registry', 'http://plain.example', 'http://127.0.0.1:2375/token'],
    ['what is no web', 'https://registry.example.com', 'ftp://registry.example.com/token'],
    ['an address with a user', 'https://registry.example.com', 'https://u:p@registry.example.com/token'],
  ])('do not go to %s', (_name, registry, realm) => {
    expect(() => check(registry, realm)).toThrow(/^unauthorized: .* asks for a token from /);
  });
});

it('who brings no credentials may ask any token server, but not over plain HTTP', () => {
  expect(() => check('https://registry.example.com', 'https://auth.example.net/token', 'anonymous')).not.toThrow();
  expect(() => check('https://registry.example.com', 'http://auth.example.net/token', 'anonymous')).toThrow(
    'plain HTTP',
  );
});
