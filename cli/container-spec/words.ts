import { isIP } from 'node:net';

/** `-a` values: the name of a stream, in any case. Throws RangeError. */
export function parseStream(text: string): string {
  const name = text.toLowerCase();
  if (!['stdin', 'stdout', 'stderr'].includes(name)) throw new RangeError('valid streams are STDIN, STDOUT and STDERR');
  return name;
}

/** `--add-host` values: `host:ip` or `host=ip`, with or without brackets around IPv6; given out as `host:ip`. Throws RangeError. */
export function parseHostMapping(text: string): string {
  const [, host = '', address = ''] = /^([^:=]+)[:=](.+)$/.exec(text) ?? [];
  if (host === '' || address === '') throw new RangeError(`bad format for add-host: "${text}"`);
  return `${host}:${address.replace(/^\[(.*)\]$/, '$1')}`;
}

/** `--link` values: `container[:alias]`. Throws RangeError. */
export function parseLink(text: string): string {
  const [name = '', , ...more] = text.split(':');
  if (text === '') throw new RangeError('empty string specified for links');
  if (name === '' || more.length > 0) throw new RangeError(`bad format for links: ${text}`);
  return text;
}

/** `--dns` values. Throws RangeError. */
export function parseDnsServer(text: string): string {
  if (isIP(text) === 0) throw new RangeError(`IP address is not correctly formatted: ${text}`);
  return text;
}
