import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import { runProgram, skiffCommand } from '../peers/program.ts';
import { describeWith } from '../skip.ts';
import { docker, eventually } from './docker.ts';
import { startEngine } from './start-engine.ts';

/** `cp` of docker's CLI and of skiff on one engine: what lies where afterwards, and what is said, must be the same. */
describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'skiff cp beside docker cp', () => {
  let socket: string;
  let end: () => Promise<void>;
  const folder = mkdtempSync(join(tmpdir(), 'skiff-cp-'));

  beforeAll(async () => {
    const given = process.env['SKIFF_LIKENESS_HOST'];
    const engine = given === undefined ? await startEngine() : null;
    socket = given === undefined ? (engine?.socket ?? '') : given.replace('unix://', '');
    end = async () => engine?.[Symbol.asyncDispose]();
    const script =
      'mkdir -p /d/sub /e; echo a > /d/a; echo b > /d/sub/b; chmod 640 /d/a; ln -s a /d/link; ln -s /d /dl; echo f > /f; ln -s /f /fl; ln -s /none /broken; ln /d/a /d/hard; sleep 1000';
    for (const side of ['d', 's']) {
      await docker(socket, ['run', '-d', '--name', `cp-${side}`, 'hello', 'sh', '-c', `${script}`]);
      await eventually('its files', async () => {
        const made = await docker(socket, ['exec', `cp-${side}`, 'test', '-e', '/d/hard']);
        return made.exitCode === 0 ? true : null;
      });
    }
  });

  afterAll(async () => {
    await docker(socket, ['rm', '-f', 'cp-d', 'cp-s']);
    rmSync(folder, { recursive: true });
    await end();
  });

  /** A folder that looks the same for both: a file, a folder, links. */
  const localFolder = (side: 'd' | 's', name: string): string => {
    const path = join(folder, `${name}-${side}`);
    mkdirSync(join(path, 'dir/in'), { recursive: true });
    writeFileSync(join(path, 'file'), 'old');
    writeFileSync(join(path, 'dir/x'), 'x', { mode: 0o600 });
    symlinkSync('x', join(path, 'dir/lx'));
    symlinkSync('dir', join(path, 'dirlink'));
    utimesSync(join(path, 'dir/x'), 1_000_000_000, 1_000_000_000);
    return path;
  };

  const copied = async (side: 'd' | 's', words: readonly string[], name: string): Promise<unknown> => {
    const path = localFolder(side, name);
    const [file, ...before] = side === 'd' ? ['docker'] : skiffCommand;
    const args = words.map((word) => word.replace(/^C:/, `cp-${side}:`));
    const environment = { SKIFF_HOME: path };
    const ran = await runProgram(file ?? '', [...before, '-H', `unix://${socket}`, 'cp', ...args], {
      workingDir: path,
      environment,
    });
    const here = execFileSync('find', ['.', '-printf', '%P %y %m %l %s\n'], { cwd: path, encoding: 'utf8' })
      .split('\n')
      .map((line) => line.replace(/^(\S* d \d+).*/, '$1'))
      .sort();
    const list =
      'find /d /e /f /new* -exec stat -c "%n %f %N %u" {} + 2>/dev/null | sort; cat /new* /e/file 2>/dev/null';
    const there = await docker(socket, ['exec', `cp-${side}`, 'sh', '-c', `${list}; rm -rf /new* /e/*`]);
    rmSync(path, { recursive: true });
    const neutral = (text: string): string =>
      text
        .replaceAll(path, 'HERE')
        .replaceAll(`cp-${side}`, 'C')
        .replaceAll(/^time=.*\n/gm, ''); // docker's packer grumbles when nobody reads it any more
    return { code: ran.exitCode, out: neutral(ran.stdout), err: neutral(ran.stderr), here, there: there.stdout };
  };

  const cases = `
C:/f .
C:/f new
C:/f file
C:/f dir
C:/f dir/
C:/f new/
C:/f /no/such/place
C:/d .
C:/d new
C:/d file
C:/d dir
C:/d/. dir
C:/d/. new
C:/d/ new
C:/d/sub/b dirlink
C:/d new/
C:/fl .
C:/dl .
-L C:/fl .
-L C:/dl .
-L C:/dl new
C:/broken .
C:/nothing .
C:f .
-a C:/d .
file C:/e
file C:/new
file C:/new/
file C:/f
file C:/fl
file C:/dl
dir C:/e
dir C:/new
dir C:/f
dir/. C:/e
dir/. C:/new
dir/ C:/e
dirlink C:/e
-L dirlink C:/e
dirlink/ C:/e
dir C:/dl
file/ C:/e
nothing C:/e
-a dir C:/e
file C:/none/deep/new
- C:/f
file C:
`;

  it.each(cases.trim().split('\n'))('cp %s', async (line) => {
    const name = line.replaceAll(/[^a-z]+/g, '-');
    const words = line.split(' ');
    expect(await copied('s', words, name)).toEqual(await copied('d', words, name));
  });

  it('passes archives in and out', async () => {
    const words = ['-H', `unix://${socket}`, 'cp'];
    const [node, ...script] = skiffCommand;
    const archive = Buffer.concat([
      encodeEntry({ kind: 'file', name: Buffer.from('t/y') }, Buffer.from('yes')),
      endOfArchive,
    ]);
    const into = await runProgram(node, [...script, ...words, '-', 'cp-s:/e'], { input: archive });
    expect(into).toMatchObject({ exitCode: 0, stderr: '' });
    const out = await runProgram(node, [...script, ...words, 'cp-s:/e/t', '-']);
    expect(out.stdout).toContain('yes');
    expect(out.stdout.length % 512).toBe(0);
  });

  it('keeps what comes out of a container inside of the folder that was named', async () => {
    const [node, ...script] = skiffCommand;
    const outside = join(folder, 'outside');
    const inside = join(folder, 'inside');
    for (const path of [outside, inside]) mkdirSync(path);
    writeFileSync(join(outside, 'kept'), 'kept');
    symlinkSync(outside, join(inside, 'way'));
    await docker(socket, ['exec', 'cp-s', 'sh', '-c', 'mkdir -p /t/way; echo evil > /t/way/kept']);
    const { exitCode, stderr } = await runProgram(node, [
      ...script,
      '-H',
      `unix://${socket}`,
      'cp',
      'cp-s:/t/.',
      inside,
    ]);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 1 });
    expect(readFileSync(join(outside, 'kept'), 'utf8')).toBe('kept');
  });
});
