/** The options of the syslog driver (source: docker's document of it). */
import { invalid, notImplemented } from '../model/errors.ts';
import type { SyslogPlan, SyslogTarget } from './log-plan.ts';

const facilities =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );
const defaultFacility = 'daemon';
const defaultPort = 514;
/** Where the syslog of this computer listens. */
const localSocket = '/dev/log';

/** Empty: the syslog of this computer. */
export function readSyslogAddress(text: string): SyslogTarget {
  if (text === '') return { kind: 'unix', path: localSocket };
  const [, scheme = '', rest = ''] = /^([a-z+]+):\/\/(.*)$/.exec(text) ?? [];
  switch (scheme) {
    case 'unix':
    case 'unixgram':
      if (!rest.startsWith('/')) throw invalid(`invalid syslog-address "${text}": expected unix:///path`);
      return { kind: 'unix', path: rest };
    case 'udp':
    case 'tcp': {
      const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:/]+))(?::(\d{1,5}))?$/.exec(rest);
      const host = match?.[1] ?? match?.[2];
      const port = Number(match?.[3] ?? defaultPort);
      if (host === undefined || port > 65_535 || port < 1)
        throw invalid(`invalid syslog-address "${text}": expected ${scheme}://host:port`);
      return { kind: scheme, host, port };
    }
    case 'tcp+tls':
      throw notImplemented('syslog over TLS is not there yet in this version of the Skiff engine');
    default:
      throw invalid(`unsupported scheme: '${scheme}'`);
  }
}

export function syslogFormat(text: string): SyslogPlan['format'] {
  switch (text) {
    case '':
    case 'rfc3164':
      return 'rfc3164';
    case 'rfc5424':
    case 'rfc5424micro':
      return text;
    default:
      throw invalid('Invalid syslog format');
  }
}

/** A name or a number; empty: daemon. */
export function syslogFacility(text: string): number {
  const index = facilities.indexOf(text === '' ? defaultFacility : text);
  if (index !== -1) return index;
  if (/^\d{1,2}$/.test(text) && Number(text) < facilities.length) return Number(text);
  throw invalid('invalid syslog facility');
}
