import { cgroupOf } from '../../containers/oci/cgroup-of.ts';
import type { Container } from '../../containers/container.ts';
import type { Parts } from '../../containers/parts.ts';
import { liveState } from '../../containers/state.ts';
import { conflict } from '../../model/errors.ts';
import { processTable } from '../../processes/top.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

export function topRoute(parts: Parts): Route {
  return {
    method: 'GET',
    path: '/containers/:id/top',
    handle: (exchange) => top(parts, exchange, parts.directory.find(exchange.param('id'))),
  };
}

function top(parts: Parts, exchange: Exchange, container: Container): void {
  const { id, state } = container;
  if (state.status === 'restarting')
    throw conflict(`Container ${id} is restarting, wait until the container is running`);
  if (liveState(state) === null) throw conflict(`container ${id} is not running`);
  exchange.json(200, processTable(cgroupOf(parts, container), exchange.query.get('ps_args') ?? ''));
}
