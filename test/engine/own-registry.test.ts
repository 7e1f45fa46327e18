/** A registry of one's own, as people run one: `docker run -d -p 5000:5000 registry`. The image is made of Debian's program. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registryProgram } from '../peers/registry.ts';
import { describeWith } from '../skip.ts';
import { docker, eventually } from './docker.ts';
import { type RunningEngine, startEngine } from './start-engine.ts';

const config = {
  version: 0.1,
  storage: { filesystem: { rootdirectory: '/var/lib/registry' }, delete: { enabled: true } },
  http: { addr: ':5000' },
};

/** As the image on Docker Hub has it: program, configuration, port, volume. */
function rootFilesystem(folder: string): string {
  const program = registryProgram();
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).match(/\/\S+(?= \()/g) ?? [];
  const root = path.join(folder, 'root');
  for (const [from, to] of [[program, '/bin/registry'], ...libraries.map((library) => [library, library])] as const) {
    mkdirSync(path.dirname(path.join(root, to ?? '')), { recursive: true });
    copyFileSync(from ?? '', path.join(root, to ?? ''));
  }
  mkdirSync(path.join(root, 'etc/docker/registry'), { recursive: true });
  writeFileSync(path.join(root, 'etc/docker/registry/config.yml'), JSON.stringify(config));
  const tar = path.join(folder, 'root.tar');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  return tar;
}

describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'docker' }, { program: 'apt-get' }],
  'a registry in a container',
  () => {
    let engine: RunningEngine;
    const folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-own-registry-'));
    beforeAll(async () => {
      engine = await startEngine();
    });
    afterAll(async () => {
      await engine[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });

    const run = async (...words: readonly string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await docker(engine.socket, words);
      if (exitCode !== 0) throw new Error(`docker ${words.join(' ')}: ${stderr}`);
      return stdout.trim();
    };

    it('keeps what is pushed to it, also when it is started anew', async () => {
      const changes = [
        'ENTRYPOINT ["/bin/registry"]',
        'CMD ["serve", "/etc/docker/registry/config.yml"]',
        'EXPOSE 5000',
        'VOLUME /var/lib/registry',
      ].flatMap((change) => ['--change', change]);
      await run('import', ...changes, rootFilesystem(folder), 'registry:2');
      await run('run', '-d', '--name', 'registry', '--restart', 'always', '-p', '127.0.0.1:0:5000', 'registry:2');
      const host = await run('port', 'registry', '5000/tcp');
      const name = `${host}/team/hello:v1`;
      await run('tag', 'hello', name);
      // The port is there before the program listens.
      const pushed = await eventually('the registry takes a push', async () => {
        const { exitCode, stdout } = await docker(engine.socket, ['push', name]);
        return exitCode === 0 ? stdout : null;
      });
      expect(pushed).toContain('v1: digest: sha256:');
      await run('rmi', name);
      expect(await run('pull', name)).toContain('Status: Downloaded newer image');
      expect(await run('search', `${host}/hello`)).toContain(`${host}/team/hello`);

      await run('restart', 'registry');
      const again = `${await run('port', 'registry', '5000/tcp')}/team/hello:v1`;
      await eventually('the registry gives it back', async () =>
        (await docker(engine.socket, ['pull', again])).exitCode === 0 ? true : null,
      );
      expect(await run('run', '--rm', again, 'echo', 'from my own registry')).toBe('from my own registry');
      await run('rm', '-fv', 'registry');
    });
  },
);
