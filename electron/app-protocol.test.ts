import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PageFiles } from '../desktop/server/page-files.ts';
import { answerTo, appScheme, serveApp } from './app-protocol.ts';
import { isPageUrl } from './page-address.ts';

describe("the page's own scheme", () => {
  let folder: string;
  let files: PageFiles;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-scheme-'));
    await mkdir(join(folder, 'page', 'assets'), { recursive: true });
    await writeFile(join(folder, 'page', 'index.html'), '<title>page</title>');
    await writeFile(join(folder, 'page', 'assets', 'a.js'), 'export {};');
    await writeFile(join(folder, 'secret.txt'), 'secret');
    files = await PageFiles.open(join(folder, 'page'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const get = (url: string, method = 'GET'): Promise<Response> => answerTo({ url, method }, files);

  it('is registered with an origin and as secure, and with no privilege beyond', () => {
    expect(appScheme).toEqual({ scheme: 'skiff', privileges: { standard: true, secure: true } });
    const handled: string[] = [];
    serveApp({ handle: (scheme) => void handled.push(scheme) }, files);
    expect(handled).toEqual(['skiff']);
  });

  it('serves the page with a strict policy and the types of its files', async () => {
    const page = await get('skiff://app/');
    expect(await page.text()).toBe('<title>page</title>');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; ");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).not.toContain('unsafe-eval');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const script = await get('skiff://app/assets/a.js');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await (await get('skiff://app/', 'HEAD')).text()).toBe('');
  });

  it.each([
    'skiff://app/../secret.txt',
    'skiff://app/assets/../../secret.txt',
    'skiff://app/%2e%2e/secret.txt',
    'skiff://app/..%2fsecret.txt',
    'skiff://app/..\\secret.txt',
    'skiff://app//etc/passwd',
    'skiff://app/%00',
    'skiff://app/%',
    'skiff://app/assets',
    'skiff://app.evil/',
    'skiff://evil/index.html',
    'skiff://user@app/',
    'skiff:///etc/passwd',
    'file:///etc/passwd',
    'nonsense',
  ])('finds nothing at %s', async (url) => {
    const answer = await get(url);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe('');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('only reads', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await get('skiff://app/', method)).status).toBe(405);
  });

  it('knows its own addresses from those that look alike', () => {
    expect(['skiff://app/', 'skiff://app/#/containers', 'skiff://app'].map(isPageUrl)).toEqual([true, true, true]);
    const others = [
      'skiff://app.evil/',
      'skiff://apps/',
      'skiff://app:1/',
      'https://app/',
      'skiff:app',
      'about:blank',
      '',
    ];
    for (const other of others) expect(isPageUrl(other), other).toBe(false);
  });
});
