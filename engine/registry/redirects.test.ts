import { describe, expect, it } from 'vitest';
import { redirected } from './redirects.ts';

const settings = { insecure: ['minio.lan:9000', '10.0.0.0/8'] };

describe('redirects', () => {
  it.each([
    ['https://registry.example/v2/a', 'https://cdn.example/x?sig=a%2Fb', 'https://cdn.example/x?sig=a%2Fb'],
    ['https://registry.example/v2/a', '/elsewhere', 'https://registry.example/elsewhere'],
    ['https://registry.example/v2/a', 'https://u:p@cdn.example/x', 'https://cdn.example/x'],
    ['https://registry.example/v2/a', 'http://minio.lan:9000/x', 'http://minio.lan:9000/x'],
    ['https://registry.example/v2/a', 'http://10.1.1.1/x', 'http://10.1.1.1/x'],
    ['https://localhost:5000/v2/a', 'http://127.0.0.1:9000/x', 'http://127.0.0.1:9000/x'],
    ['http://plain.example/v2/a', 'http://other.example/x', 'http://other.example/x'],
  ])('from %s to %s are followed', (from, location, to) => {
    expect(redirected(new URL(from), location, settings).href).toBe(to);
  });

  it.each([
    ['http://cdn.example/x', 'redirects to plain HTTP at cdn.example'],
    ['http://127.0.0.1:2375/containers/json', 'redirects to plain HTTP at 127.0.0.1:2375'],
    ['http://localhost/x', 'redirects to plain HTTP at localhost'],
    ['http://169.254.169.254/latest/meta-data', 'redirects to plain HTTP at 169.254.169.254'],
    ['file:///etc/shadow', 'what is no web address'],
    ['https://', 'what is no web address'],
  ])('to %s are refused', (location, message) => {
    expect(() => redirected(new URL('https://registry.example/v2/a'), location, settings)).toThrow(message);
  });
});
