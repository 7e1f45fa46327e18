import type { PortBinding } from '../../../api/containers.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const port = defineVerb({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  flags: {},
  min: 1,
  max: 2,
  offers: ['container', 'nothing'],
  examples: [['web 80', 'Where port 80 of a container is reached']],
  async run({ args: [container = '', wanted], context }) {
    const { NetworkSettings } = await context.engine.containers.inspect(container);
    const ports = NetworkSettings.Ports ?? {};
    if (wanted !== undefined) {
      const [number = '', protocol = 'tcp'] = wanted.split('/');
      if (!/^\d+$/.test(number))
        throw new CommandError(
          `Error: invalid port (${number}): strconv.ParseUint: parsing "${number}": invalid syntax`,
        );
      const bindings = ports[`${number}/${protocol}`];
      if (!bindings) throw new CommandError(`Error: No public port '${wanted}' published for ${container}`);
      await writeLines(context.stdout, bindings.map(addressOf).sort(byNumbers));
      return 0;
    }
    const lines = Object.entries(ports).flatMap(([key, bindings]) =>
      (bindings ?? []).map((binding) => `${key} -> ${addressOf(binding)}`),
    );
    await writeLines(context.stdout, lines.sort(byNumbers));
    return 0;
  },
});

function addressOf({ HostIp = '', HostPort = '' }: PortBinding): string {
  return HostIp.includes(':') ? `[${HostIp}]:${HostPort}` : `${HostIp}:${HostPort}`;
}

/** 80 before 443. */
function byNumbers(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
