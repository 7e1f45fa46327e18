import type { EndpointRequest } from '../../../api/networks.ts';
import { parseLink } from '../../container-spec/words.ts';
import { flag } from '../../flags/flag.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const connect = defineVerb({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network',
  flags: {
    alias: flag.words({ help: 'Add network-scoped alias for the container' }),
    driverOpt: flag.words({ help: 'driver options for the network' }),
    gwPriority: flag.integer({
      help: 'Highest gw-priority provides the default gateway. Accepts positive and negative values.',
    }),
    ip: flag.text({ help: 'IPv4 address (e.g., "172.30.100.104")' }),
    ip6: flag.text({ help: 'IPv6 address (e.g., "2001:db8::33")' }),
    link: flag.list({ help: 'Add link to another container' }, parseLink),
    linkLocalIp: flag.words({ help: 'Add a link-local address for the container' }),
  },
  min: 2,
  max: 2,
  offers: ['network', 'container'],
  examples: [['--alias db backend web', 'A running container, one more network, and a name in it']],
  async run({ flags, args: [network = '', container = ''], context }) {
    const { alias, driverOpt, gwPriority, ip, ip6, link, linkLocalIp } = flags;
    const hasAddress = ip !== undefined || ip6 !== undefined || linkLocalIp.length > 0;
    const endpoint: EndpointRequest = {
      ...(hasAddress
        ? {
            IPAMConfig: {
              ...(ip === undefined ? {} : { IPv4Address: ip }),
              ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
              ...(linkLocalIp.length > 0 ? { LinkLocalIPs: linkLocalIp } : {}),
            },
          }
        : {}),
      ...(link.length > 0 ? { Links: link } : {}),
      ...(alias.length > 0 ? { Aliases: alias } : {}),
      ...(driverOpt.length > 0 ? { DriverOpts: driverOptions(driverOpt) } : {}),
      ...(gwPriority === undefined ? {} : { GwPriority: gwPriority }),
    };
    await context.engine.networks.connect(network, { Container: container, EndpointConfig: endpoint });
    return 0;
  },
});

export const disconnect = defineVerb({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Disconnect a container from a network',
  flags: { force: flag.switch({ short: 'f', help: 'Force the container to disconnect from a network' }) },
  min: 2,
  max: 2,
  offers: ['network', 'container'],
  async run({ flags: { force }, args: [network = '', container = ''], context }) {
    await context.engine.networks.disconnect(network, { Container: container, Force: force });
    return 0;
  },
});

function driverOptions(options: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    options.map((option) => {
      const at = option.indexOf('=');
      if (at <= 0 || at === option.length - 1)
        throw new CommandError('invalid key/value pair format in driver options');
      return [option.slice(0, at).trim().toLowerCase(), option.slice(at + 1).trim()];
    }),
  );
}
