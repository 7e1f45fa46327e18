import os from 'node:os';
import { newestApiVersion, oldestApiVersion } from '../../../api/version.ts';
import type { Parts } from '../../containers/parts.ts';
import type { EngineFacts } from '../../facts.ts';
import { engineCommit, engineVersion } from '../../version.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { eventsRoute } from './events.ts';
import { infoAnswer } from './info.ts';

export function systemRoutes(parts: Parts, facts: EngineFacts): readonly Route[] {
  return [
    { method: 'GET', path: '/_ping', handle: ping },
    { method: 'HEAD', path: '/_ping', handle: ping },
    { method: 'GET', path: '/version', handle: (exchange) => exchange.json(200, versionAnswer(facts)) },
    { method: 'GET', path: '/info', handle: (exchange) => exchange.answer('info', infoAnswer(parts, facts)) },
    eventsRoute(parts),
  ];
}

function ping(exchange: Exchange): void {
  const { response } = exchange;
  // Build goes through the classic builder or not at all until BuildKit's door is there: 1 keeps the docker CLI from probing it.
  response.setHeader('Builder-Version', '1');
  response.setHeader('Swarm', 'inactive');
  response.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate');
  response.setHeader('Pragma', 'no-cache');
  if (exchange.request.method === 'HEAD') {
    response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': 0 }).end();
  } else exchange.text(200, 'text/plain; charset=utf-8', 'OK');
}

function versionAnswer(facts: EngineFacts): object {
  const arch = goArch();
  const common = {
    Version: engineVersion,
    ApiVersion: newestApiVersion,
    MinAPIVersion: oldestApiVersion,
    GitCommit: engineCommit,
    Os: 'linux',
    Arch: arch,
  };
  return {
    Platform: { Name: 'Skiff Engine' },
    Components: [
      {
        Name: 'Engine',
        Version: engineVersion,
        Details: {
          ApiVersion: newestApiVersion,
          MinAPIVersion: oldestApiVersion,
          Arch: arch,
          GitCommit: engineCommit,
          KernelVersion: os.release(),
          Os: 'linux',
          Experimental: 'false',
        },
      },
      { Name: 'node', Version: process.versions.node, Details: {} },
      { Name: 'crun', Version: facts.runtimeVersion, Details: {} },
    ],
    ...common,
    GoVersion: '',
    KernelVersion: os.release(),
    BuildTime: '',
  };
}

export function goArch(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}
