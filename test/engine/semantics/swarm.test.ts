import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker } from '../docker.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(
  ['linux', 'root', { program: 'crun' }, { program: 'docker' }],
  'swarm and plugins, of which there are none',
  () => {
    let engine: RunningEngine;
    beforeAll(async () => void (engine = await startEngine()));
    afterAll(() => engine[Symbol.asyncDispose]());

    it.each([
      ['GET', '/swarm', 503, /not a swarm manager/],
      ['POST', '/swarm/leave', 503, /^This node is not part of a swarm$/],
      ['POST', '/swarm/init', 501, /no swarm/],
      ['GET', '/services/x', 503, /not a swarm manager/],
      ['POST', '/secrets/create', 503, /not a swarm manager/],
      ['GET', '/tasks/x/logs', 503, /not a swarm manager/],
      ['DELETE', '/nodes/x', 503, /not a swarm manager/],
      ['GET', '/plugins/a/b/json', 404, /^plugin "a\/b" not found$/],
      ['DELETE', '/plugins/x', 404, /^plugin "x" not found$/],
      ['POST', '/plugins/pull?remote=x', 501, /no plugins/],
      ['PUT', '/volumes/x', 503, /swarm is unavailable/],
    ])('%s %s is %i', async (method, path, status, message) => {
      const answer = await call(engine.socket, method, path);
      expect(answer.status).toBe(status);
      expect((answer.json() as { message: string }).message).toMatch(message);
    });

    it('docker’s own tools say what they say of a dockerd without a swarm', async () => {
      expect(await docker(engine.socket, ['service', 'ls'])).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('This node is not a swarm manager. Use "docker swarm init"') as string,
      });
      expect((await docker(engine.socket, ['plugin', 'ls', '-q'])).exitCode).toBe(0);
    });
  },
);
