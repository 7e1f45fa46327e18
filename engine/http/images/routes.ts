import type { Parts } from '../../containers/parts.ts';
import { EngineError, notImplemented } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { loadImages } from './archive.ts';
import { imageHistory, inspectImage } from './inspect.ts';
import { listImages } from './list.ts';
import { pruneImages, removeImage, tagImage } from './remove.ts';

export function imageRoutes(parts: Parts): readonly Route[] {
  return [
    { method: 'GET', path: '/images/json', handle: (exchange) => listImages(parts, exchange) },
    { method: 'POST', path: '/images/load', handle: (exchange) => loadImages(parts, exchange) },
    { method: 'POST', path: '/images/create', handle: refusePull },
    { method: 'POST', path: '/images/prune', handle: (exchange) => pruneImages(parts, exchange) },
    { method: 'GET', path: '/images/*name/json', handle: (exchange) => inspectImage(parts.images, exchange) },
    { method: 'GET', path: '/images/*name/history', handle: (exchange) => imageHistory(parts.images, exchange) },
    { method: 'GET', path: '/images/*name/attestations', handle: refuseAttestations },
    { method: 'POST', path: '/images/*name/tag', handle: (exchange) => tagImage(parts, exchange) },
    { method: 'DELETE', path: '/images/*name', handle: (exchange) => removeImage(parts, exchange) },
  ];
}

/** The docker CLI comes here when an image is not there. */
function refusePull(exchange: Exchange): void {
  const name = exchange.query.get('fromImage');
  throw new EngineError(
    'not-implemented',
    name === null
      ? 'importing a file system is not there yet in this version of the Skiff engine: load an image instead'
      : `pulling ${name} is not there yet in this version of the Skiff engine: load it from an archive (docker load), or use the built-in image "hello"`,
  );
}

function refuseAttestations(): void {
  throw notImplemented('attestations are not kept: an image is stored for one platform, without the index around it');
}
