import type { Parts } from '../../containers/parts.ts';
import { notImplemented } from '../../model/errors.ts';
import type { Route } from '../router.ts';
import { loadImages, saveImages } from './archive.ts';
import { imageHistory, inspectImage } from './inspect.ts';
import { listImages } from './list.ts';
import { pruneImages, removeImage, tagImage } from './remove.ts';

export function imageRoutes(parts: Parts): readonly Route[] {
  return [
    { method: 'GET', path: '/images/json', handle: (exchange) => listImages(parts, exchange) },
    { method: 'POST', path: '/images/load', handle: (exchange) => loadImages(parts, exchange) },
    { method: 'POST', path: '/images/prune', handle: (exchange) => pruneImages(parts, exchange) },
    {
      method: 'GET',
      path: '/images/get',
      handle: (exchange) => saveImages(parts, exchange, exchange.query.getAll('names')),
    },
    {
      method: 'GET',
      path: '/images/*name/get',
      handle: (exchange) => saveImages(parts, exchange, [exchange.param('name')]),
    },
    { method: 'GET', path: '/images/*name/json', handle: (exchange) => inspectImage(parts.images, exchange) },
    { method: 'GET', path: '/images/*name/history', handle: (exchange) => imageHistory(parts.images, exchange) },
    { method: 'GET', path: '/images/*name/attestations', handle: refuseAttestations },
    { method: 'POST', path: '/images/*name/tag', handle: (exchange) => tagImage(parts, exchange) },
    { method: 'DELETE', path: '/images/*name', handle: (exchange) => removeImage(parts, exchange) },
  ];
}

function refuseAttestations(): void {
  throw notImplemented('attestations are not kept: an image is stored for one platform, without the index around it');
}
