import { flag } from '../../flags/flag.ts';
import { CommandError } from '../../usage-error.ts';

/** docker's switch for signatures of Notary: Skiff checks digests, and has no such signatures to check. */
export const contentTrustFlag = flag.hidden(flag.switch({ help: 'Skip image verification', initial: true }));

export function refuseContentTrust(isDisabled: boolean): void {
  if (isDisabled) return;
  throw new CommandError('--disable-content-trust=false: signatures of images (Notary) are not supported');
}
