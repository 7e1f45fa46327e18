/** Where a registry may lead its client. */
import { EngineError } from '../model/errors.ts';
import { isInsecure, type RegistrySettings } from './registry-settings.ts';
import { shownUrl } from './wire-errors.ts';

/**
 * The address that `location` names, without user and password. Throws for what is no web address, and for a step from HTTPS down
 * to plain HTTP: whoever listens there could write what he likes, and a registry somewhere has no business with what listens
 * on this computer's loopback. Hosts that the settings name as insecure are meant so.
 */
export function redirected(from: URL, location: string, settings: Pick<RegistrySettings, 'insecure'>): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (to === null || !['http:', 'https:'].includes(to.protocol))
    throw new EngineError('internal', `${shownUrl(from)} redirects to what is no web address`);
  if (from.protocol === 'https:' && to.protocol === 'http:' && !maySendDown(from, to, settings))
    throw new EngineError(
      'internal',
      `${shownUrl(from)} redirects to plain HTTP at ${to.host}, which is not followed; if that is right, start the engine with --insecure-registry ${to.host}`,
    );
  to.username = '';
  to.password = '';
  return to;
}

function maySendDown(from: URL, to: URL, settings: Pick<RegistrySettings, 'insecure'>): boolean {
  const isLoopback = isInsecure(to.host, { insecure: [] });
  const isNamed = settings.insecure.includes(to.host) || settings.insecure.includes(to.hostname);
  return isNamed || (isInsecure(to.host, settings) && (!isLoopback || isInsecure(from.host, settings)));
}
