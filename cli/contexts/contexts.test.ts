import { mkdtemp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startFakeEngine } from '../../test/peers/fake-engine.ts';
import { runProgram, skiffCommand } from '../../test/peers/program.ts';
import type { ProgramResult } from '../../test/peers/program.ts';
import { dockerContexts } from '../../provisioners/machines/docker-context.ts';
import { machinePaths } from '../../provisioners/store/home.ts';
import { parseMachineName } from '../../provisioners/store/machine-name.ts';
import { lacking } from '../../test/skip.ts';

const [node, ...script] = skiffCommand;
let folder: string;

beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'skiff-contexts-'))));
afterEach(() => rm(folder, { recursive: true }));

const environment = (): Record<string, string> => ({
  SKIFF_HOME: join(folder, 'home'),
  DOCKER_CONFIG: join(folder, 'docker'),
  SKIFF_HOST: '',
  SKIFF_MACHINE: '',
  SKIFF_CONTEXT: '',
});
const skiff = (...args: string[]): Promise<ProgramResult> =>
  runProgram(node, [...script, ...args], { environment: environment(), workingDir: folder });
const done = async (...args: string[]): Promise<string> => {
  const result = await skiff(...args);
  expect(result).toMatchObject({ exitCode: 0 });
  return result.stdout.trimEnd();
};

it('a context is made, used, shown, changed, copied and removed; docker knows it too', async () => {
  await using engine = await startFakeEngine();
  const host = `unix://${engine.path}`;
  expect(await skiff('context', 'create', 'local', '--description', 'some text', '--docker', `host=${host}`)).toEqual({
    exitCode: 0,
    signal: null,
    stdout: 'local\n',
    stderr: 'Successfully created context "local"\n',
  });
  expect(await done('context', 'show')).toBe('default');
  expect(await done('-c', 'local', 'images', '-q')).toMatch(/^[0-9a-f]{12}$/);
  expect(await done('context', 'use', 'local')).toBe('local');
  expect(await done('images', '-q')).toMatch(/^[0-9a-f]{12}$/);
  expect(await done('context', 'ls', '--format', '{{.Name}} {{.Current}} {{.DockerEndpoint}}')).toContain(
    `local true ${host}`,
  );
  expect((await done('context', 'ls')).split('\n')[2]).toMatch(/^local \* +some text +unix:/);
  await done('context', 'create', 'copy', '--from', 'local');
  await done('context', 'update', 'copy', '--description', 'another');
  expect(await done('context', 'inspect', '-f', '{{.Metadata.Description}} {{.Endpoints.docker.Host}}', 'copy')).toBe(
    `another ${host}`,
  );
  expect(await skiff('context', 'rm', 'local')).toMatchObject({
    exitCode: 1,
    stderr: 'context "local" is in use, set -f flag to force remove\n',
  });
  if (lacking([{ program: 'docker' }]) === null) {
    const docker = await runProgram('docker', ['--context', 'copy', 'version', '-f', '{{.Server.Os}}'], {
      environment: environment(),
    });
    expect(docker).toMatchObject({ exitCode: 0, stdout: 'linux\n' });
    const shown = await runProgram('docker', ['context', 'show'], { environment: environment() });
    expect(shown.stdout).toBe('default\n');
  }
  await done('context', 'rm', '-f', 'local', 'copy');
  expect(await done('context', 'ls', '-q')).toBe('default');
  expect(await done('context', 'show')).toBe('default');
});

it('is exported with its keys and imported under another name, by skiff and by docker', async () => {
  await writeFile(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n');
  await done('context', 'create', 'far', '--docker', 'host=tcp://10.0.0.1:2376,ca=ca.pem');
  expect(await skiff('context', 'export', 'far')).toMatchObject({ stderr: 'Written file "far.dockercontext"\n' });
  expect(await skiff('context', 'export', 'far')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/file (already )?exists/) });
  await done('context', 'import', 'near', 'far.dockercontext');
  const [details] = JSON.parse(await done('context', 'inspect', 'near')) as Record<string, unknown>[];
  expect(details).toMatchObject({
    Name: 'near',
    Endpoints: { docker: { Host: 'tcp://10.0.0.1:2376' } },
    TLSMaterial: { docker: ['ca.pem'] },
  });
  if (lacking([{ program: 'docker' }]) === null) {
    const other = { ...environment(), DOCKER_CONFIG: join(folder, 'other') };
    const imported = await runProgram('docker', ['context', 'import', 'there', 'far.dockercontext'], { environment: other, workingDir: folder });
    expect(imported).toMatchObject({ exitCode: 0, stdout: 'there\n' });
  }
}); // prettier-ignore

it('names the machines of this computer, and their state when they do not run', async () => {
  const { SKIFF_HOME: home = '', DOCKER_CONFIG: config = '' } = environment();
  const machine = machinePaths(home, parseMachineName('web'));
  await mkdir(machine.folder, { recursive: true });
  await writeFile(machine.document, '{}');
  const contexts = dockerContexts({ DOCKER_CONFIG: config });
  await contexts.provide({ name: 'web', folder: machine.folder, dockerHost: `unix://${machine.dockerSocket}` });
  expect(await done('context', 'ls', '-q')).toBe('default\nskiff-web');
  expect(await skiff('-c', 'skiff-web', 'ps')).toMatchObject({
    exitCode: 1,
    stderr: 'machine "web" is not running. Start it with: skiff machine start web\n',
  });
  expect(await skiff('context', 'rm', 'skiff-web')).toMatchObject({ exitCode: 1 });
});

it.each([
  [['context', 'create', 'x y'], 'context name "x y" is invalid'],
  [['context', 'create', 'default'], '"default" is a reserved context name'],
  [['context', 'create', 'aa', '--docker', 'host=bogus'], 'invalid host "bogus"'],
  [['context', 'create', 'aa', '--docker', 'hosts=x'], 'unrecognized config key: hosts'],
  [['context', 'create', 'aa', '--docker', 'host=tcp://a,ca=/nowhere'], 'open /nowhere: no such file or directory'],
  [['context', 'rm', 'nope'], 'context "nope" does not exist'],
  [['context', 'rm', 'default'], 'context "default" cannot be removed'],
  [['context', 'use', 'nope'], 'context "nope": context not found'],
  [['context', 'import', 'yy', '/nowhere'], 'open /nowhere: no such file or directory'],
  [['-c', 'nope', 'ps'], 'context "nope": context not found'],
])('refuses %j', async (words, says) => {
  expect(await skiff(...words)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(says) });
});

it('keeps files with keys for their owner alone', async () => {
  await writeFile(join(folder, 'key.pem'), '-----BEGIN PRIVATE KEY-----\nx\n');
  await done('context', 'create', 'far', '--docker', 'host=tcp://10.0.0.1,key=key.pem');
  const [{ Storage }] = JSON.parse(await done('context', 'inspect', 'far')) as [{ Storage: { TLSPath: string } }];
  expect(await readFile(join(Storage.TLSPath, 'docker/key.pem'), 'utf8')).toContain('PRIVATE KEY');
  expect((await stat(join(Storage.TLSPath, 'docker/key.pem'))).mode & 0o777).toBe(0o600);
});
