import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { docker, type Ran } from '../engine/docker.ts';
import { type RunningEngine, startEngine } from '../engine/start-engine.ts';
import { describeWith } from '../skip.ts';
import { Compose } from './compose.ts';

/** A web server that needs a database that is healthy, a worker that is scaled, a tool that only a profile starts. */
const project = `
name: shop
services:
  db:
    image: hello
    pull_policy: never
    command: sh -c "touch /data/ready && exec sleep 600"
    volumes: ["data:/data"]
    networks: [back]
    healthcheck:
      test: ["CMD", "test", "-e", "/data/ready"]
      interval: 200ms
      timeout: 2s
      retries: 20
    stop_grace_period: 0s
  web:
    image: hello
    pull_policy: never
    command: sh -c "echo served by $$HOSTNAME > /tmp/index.html && exec httpd -f -p 80 -h /tmp"
    depends_on:
      db: { condition: service_healthy }
    environment:
      DB_HOST: db
    ports: ["127.0.0.1::80"]
    networks: [front, back]
    stop_grace_period: 0s
  worker:
    image: hello
    pull_policy: never
    command: sh -c "echo working; exec sleep 600"
    networks:
      back: { aliases: [crew] }
    deploy: { replicas: 2 }
    stop_grace_period: 0s
  tool:
    image: hello
    pull_policy: never
    profiles: [tools]
    command: echo "from the tool"
    networks: [back]
volumes:
  data:
networks:
  front:
  back:
    internal: true
`;

describeWith(['linux', 'root', { program: 'docker' }, { program: 'apt-get' }], 'docker compose on skiffd', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'compose-'));
  let engine: RunningEngine;
  let compose: Compose;

  beforeAll(async () => {
    engine = await startEngine();
    compose = new Compose({ socket: engine.socket, folder });
    writeFileSync(path.join(compose.projectFolder, 'compose.yaml'), project);
  }, 300_000);

  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const composed = async (...words: readonly string[]): Promise<Ran> => {
    const ran = await compose.run(words);
    expect(ran, `compose ${words.join(' ')}: ${ran.stderr}`).toMatchObject({ exitCode: 0 });
    return ran;
  };

  it('starts a project in the order of its dependencies, and again without a change', async () => {
    await composed('up', '-d');
    const ids = (await composed('ps', '-q')).stdout;
    expect(ids.trim().split('\n')).toHaveLength(4);
    await composed('up', '-d');
    expect((await composed('ps', '-q')).stdout.split('\n').toSorted()).toEqual(ids.split('\n').toSorted());
  });

  it('lists services with their states, health and ports', async () => {
    const { stdout } = await composed('ps', '--format', '{{.Service}} {{.State}} <{{.Health}}>');
    expect(stdout.trim().split('\n').toSorted()).toEqual([
      'db running <healthy>',
      'web running <>',
      'worker running <>',
      'worker running <>',
    ]);
    expect((await composed('port', 'web', '80')).stdout).toMatch(/^127\.0\.0\.1:\d+\n$/);
  });

  it('lets services find each other by name and alias', async () => {
    expect((await composed('exec', '-T', 'worker', 'wget', '-qO-', 'http://web/')).stdout).toMatch(/^served by/);
    expect(
      (await composed('exec', '-T', 'web', 'nslookup', '-type=a', 'crew')).stdout.match(/Address: /g),
    ).toHaveLength(2);
  });

  it('shows the log of services, marked with their names', async () => {
    const { stdout } = await composed('logs', 'worker');
    expect(stdout.match(/worker-\d\s+\| working/g)).toHaveLength(2);
  });

  it('runs commands in services and hands their exit code on', async () => {
    expect(await compose.run(['exec', '-T', 'web', 'sh', '-c', 'echo $DB_HOST; exit 4'])).toMatchObject({
      exitCode: 4,
      stdout: 'db\n',
    });
    expect((await composed('run', '--rm', '-T', 'tool')).stdout).toBe('from the tool\n');
  });

  it('scales a service up and down', async () => {
    await composed('up', '-d', '--scale', 'worker=4', '--no-recreate');
    expect((await composed('ps', '-q', 'worker')).stdout.trim().split('\n')).toHaveLength(4);
    await composed('up', '-d', '--scale', 'worker=1');
    expect((await composed('ps', '-q', 'worker')).stdout.trim().split('\n')).toHaveLength(1);
  });

  it('recreates what has changed, and its volume keeps what is in it', async () => {
    await composed('exec', '-T', 'db', 'sh', '-c', 'echo kept > /data/row');
    writeFileSync(
      path.join(compose.projectFolder, 'compose.yaml'),
      project.replace('DB_HOST: db', 'DB_HOST: database'),
    );
    await composed('up', '-d');
    expect((await composed('exec', '-T', 'web', 'sh', '-c', 'echo $DB_HOST')).stdout).toBe('database\n');
    expect((await composed('exec', '-T', 'db', 'cat', '/data/row')).stdout).toBe('kept\n');
  });

  it('stops, starts, restarts, pauses and copies', async () => {
    await composed('restart', 'worker');
    await composed('pause', 'worker');
    await composed('unpause', 'worker');
    await composed('stop', 'worker');
    await composed('start', 'worker');
    writeFileSync(path.join(folder, 'note'), 'copied');
    await composed('cp', path.join(folder, 'note'), 'web:/tmp/note');
    expect((await composed('exec', '-T', 'web', 'cat', '/tmp/note')).stdout).toBe('copied');
    expect((await composed('top', 'web')).stdout).toContain('httpd');
  });

  it('takes everything down, and nothing of the project is left', async () => {
    await composed('down', '-v', '--remove-orphans', '-t', '0');
    for (const words of [
      ['ps', '-aq'],
      ['volume', 'ls', '-q'],
      ['network', 'ls', '-q', '--filter', 'type=custom'],
    ])
      expect((await docker(engine.socket, words)).stdout).toBe('');
  });
});
