import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../test/eventually.ts';
import { describeWith } from '../test/skip.ts';
import { findProgram } from './credential-helper.ts';
import { Credentials } from './credentials.ts';
import { systemKeychain } from './keychains.ts';

const needs = [
  'linux',
  { program: 'dbus-daemon' },
  { program: 'gnome-keyring-daemon' },
  { program: 'secret-tool' },
] as const;

describeWith(needs, 'the keyring of a desktop', () => {
  let home: string;
  const children: ChildProcess[] = [];
  /** Without docker: with it, the file that docker reads is taken instead. */
  let environment: Record<string, string>;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'skiff-keyring-'));
    const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(bus);
    const address = await firstLine(bus);
    // Nothing but the tool: no helper, and no docker.
    const tool = findProgram('secret-tool', process.env, 'linux') ?? '';
    const bin = join(home, 'bin');
    mkdirSync(bin);
    symlinkSync(tool, join(bin, 'secret-tool'));
    environment = {
      ...(process.env['LD_LIBRARY_PATH'] === undefined ? {} : { LD_LIBRARY_PATH: process.env['LD_LIBRARY_PATH'] }),
      PATH: bin,
      HOME: home,
      XDG_RUNTIME_DIR: home,
      XDG_DATA_HOME: home,
      DOCKER_CONFIG: home,
      DBUS_SESSION_BUS_ADDRESS: address,
    };
    const args = ['--unlock', '--foreground', '--components=secrets'];
    const keyring = spawn(findProgram('gnome-keyring-daemon', process.env, 'linux') ?? '', args, {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: environment,
    });
    children.push(keyring);
    keyring.stdin.end('opened\n');
  });

  afterAll(async () => {
    for (const child of children.toReversed()) {
      const ended = once(child, 'exit');
      if (child.kill('SIGKILL')) await ended;
    }
    rmSync(home, { recursive: true });
  });

  it('keeps a login, gives it back with its user, replaces and forgets it', async () => {
    const keychain = systemKeychain('secretservice', environment, 'linux');
    const isOpen = async (): Promise<boolean> => {
      try {
        await keychain?.store('ready.example', { username: 'a', secret: 'b' });
        return (await keychain?.get('ready.example')) !== null;
      } catch {
        return false;
      }
    };
    await eventually(isOpen).toBe(true);
    expect(await keychain?.get('reg.example:5000')).toBeNull();
    await keychain?.store('reg.example:5000', { username: 'jane', secret: 'pä"ss\\wörd' });
    await keychain?.store('reg.example:5000', { username: 'john', secret: 'second' });
    expect(await keychain?.get('reg.example:5000')).toEqual({ username: 'john', secret: 'second' });
    await keychain?.erase('reg.example:5000');
    expect(await keychain?.get('reg.example:5000')).toBeNull();
  });

  it('is where a login goes without docker and helper; nothing of it stands in the file, and nothing stays after a logout', async () => {
    const credentials = new Credentials(environment, 'linux');
    const kept = await credentials.keep('reg.example', { kind: 'password', username: 'jane', password: 'sword fish' });
    expect(kept).toEqual({ where: 'store', name: 'the keyring of the desktop' });
    const text = readFileSync(join(home, 'config.json'), 'utf8');
    expect(JSON.parse(text)).toEqual({ auths: { 'reg.example': {} }, credHelpers: { 'reg.example': 'secretservice' } });
    expect(await credentials.get('reg.example')).toMatchObject({ username: 'jane', password: 'sword fish' });
    await credentials.erase('reg.example');
    expect(JSON.parse(readFileSync(join(home, 'config.json'), 'utf8'))).toEqual({ auths: {}, credHelpers: {} });
  });

  it('that does not answer is done without: the login goes to the file', async () => {
    const nowhere = { ...environment, DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(home, 'no-bus')}` };
    const kept = await new Credentials(nowhere, 'linux').keep('reg.example', {
      kind: 'password',
      username: 'a',
      password: 'b',
    });
    expect(kept).toEqual({ where: 'file', path: join(home, 'config.json') });
  });
});

it('there is none without a session bus, on Windows, and behind other helpers', () => {
  expect(systemKeychain('secretservice', { PATH: '/usr/bin' }, 'linux')).toBeNull();
  expect(systemKeychain('wincred', {}, 'win32')).toBeNull();
  expect(systemKeychain('pass', { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x' }, 'linux')).toBeNull();
});

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the child has no stdout');
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(30_000) })) as [string];
  return line;
}
