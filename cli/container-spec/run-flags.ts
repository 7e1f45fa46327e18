import { flag } from '../flags/flag.ts';
import type { Flag, ValuesOf } from '../flags/flag.ts';
import { parseDuration } from '../formats/times.ts';
import { parseSysctl } from './devices.ts';
import { parseLabel, parseVariable } from './environment.ts';
import { parseRestartPolicy } from './limits.ts';
import { parseMount } from './mounts.ts';
import { parseNetwork } from './networks.ts';
import { resourceFlags } from './resource-flags.ts';
import { parseDnsServer, parseHostMapping, parseLink, parseStream } from './words.ts';

const network = flag.listOf(
  { help: 'Connect a container to a network', placeholder: 'network', offers: 'network' },
  parseNetwork,
);

/** The flags of `create` and `run`: docker's, for Linux. */
export const runFlags = {
  ...resourceFlags,
  addHost: flag.list({ help: 'Add a custom host-to-IP mapping (host:ip)' }, parseHostMapping),
  annotation: flag.map({ help: 'Add an annotation to the container (passed through to the OCI runtime)' }),
  attach: flag.list({ short: 'a', help: 'Attach to STDIN, STDOUT or STDERR', offers: ['stdin', 'stdout', 'stderr'] }, parseStream),
  capAdd: flag.list({ help: 'Add Linux capabilities' }),
  capDrop: flag.list({ help: 'Drop Linux capabilities' }),
  cgroupns: flag.text({ help: "Cgroup namespace to use (host|private); '': as the engine is set up", offers: ['host', 'private'] }),
  cidfile: flag.text({ help: 'Write the container ID to the file', offers: 'file' }),
  detach: flag.switch({ short: 'd', help: 'Run container in background and print container ID' }),
  detachKeys: flag.text({ help: 'Override the key sequence for detaching a container' }),
  disableContentTrust: flag.hidden(flag.switch({ help: 'Skip image verification', initial: true })),
  dns: flag.list({ help: 'Set custom DNS servers' }, parseDnsServer),
  dnsOpt: flag.hidden(flag.list({ help: 'The old name of --dns-option' })),
  dnsOption: flag.list({ help: 'Set DNS options' }),
  dnsSearch: flag.list({ help: 'Set custom DNS search domains' }),
  domainname: flag.text({ help: 'Container NIS domain name' }),
  entrypoint: flag.text({ help: 'Overwrite the default ENTRYPOINT of the image' }),
  env: flag.list({ short: 'e', help: 'Set environment variables' }, parseVariable),
  envFile: flag.list({ help: 'Read in a file of environment variables', offers: 'file' }),
  expose: flag.list({ help: 'Expose a port or a range of ports' }),
  groupAdd: flag.list({ help: 'Add additional groups to join' }),
  healthCmd: flag.text({ help: 'Command to run to check health' }),
  healthInterval: duration('Time between running the check (ms|s|m|h)'),
  healthRetries: flag.integer({ help: 'Consecutive failures needed to report unhealthy' }),
  healthStartInterval: duration('Time between running the check during the start period (ms|s|m|h)'),
  healthStartPeriod: duration('Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)'),
  healthTimeout: duration('Maximum time to allow one check to run (ms|s|m|h)'),
  hostname: flag.text({ short: 'h', help: 'Container host name' }),
  init: flag.choice({ help: 'Run an init inside the container that forwards signals and reaps processes' }),
  interactive: flag.switch({ short: 'i', help: 'Keep STDIN open even if not attached' }),
  ip: flag.text({ help: 'IPv4 address (e.g., 172.30.100.104)' }),
  ip6: flag.text({ help: 'IPv6 address (e.g., 2001:db8::33)' }),
  ipc: flag.text({ help: 'IPC mode to use', offers: ['host', 'none', 'private', 'shareable'] }),
  isolation: flag.text({ help: 'Container isolation technology' }),
  label: flag.list({ short: 'l', help: 'Set meta data on a container' }, parseLabel),
  labelFile: flag.list({ help: 'Read in a line delimited file of labels', offers: 'file' }),
  link: flag.list({ help: 'Add link to another container', offers: 'container' }, parseLink),
  linkLocalIp: flag.list({ help: 'Container IPv4/IPv6 link-local addresses' }),
  logDriver: flag.text({ help: 'Logging driver for the container', offers: ['json-file', 'local', 'none', 'syslog', 'journald'] }),
  logOpt: flag.list({ help: 'Log driver options' }),
  macAddress: flag.text({ help: 'Container MAC address (e.g., 92:d0:c6:0a:29:33)' }),
  mount: flag.listOf({ help: 'Attach a filesystem mount to the container', placeholder: 'mount' }, parseMount),
  name: flag.text({ help: 'Assign a name to the container' }),
  net: flag.hidden(network),
  netAlias: flag.hidden(flag.list({ help: 'The old name of --network-alias' })),
  network,
  networkAlias: flag.list({ help: 'Add network-scoped alias for the container' }),
  noHealthcheck: flag.switch({ help: 'Disable any container-specified HEALTHCHECK' }),
  pid: flag.text({ help: 'PID namespace to use', offers: ['host'] }),
  platform: flag.text({ help: 'Set platform if server is multi-platform capable' }),
  privileged: flag.switch({ help: 'Give extended privileges to this container' }),
  publish: flag.list({ short: 'p', help: "Publish a container's port(s) to the host" }),
  publishAll: flag.switch({ short: 'P', help: 'Publish all exposed ports to random ports' }),
  pull: flag.text({ help: 'Pull image before running ("always", "missing", "never")', standard: '"missing"', offers: ['always', 'missing', 'never'] }),
  quiet: flag.switch({ short: 'q', help: 'Suppress the pull output' }),
  readOnly: flag.switch({ help: "Mount the container's root filesystem as read only" }),
  restart: flag.value(
    { help: 'Restart policy to apply when a container exits', standard: '"no"', offers: ['no', 'always', 'on-failure', 'unless-stopped'] },
    'string',
    parseRestartPolicy,
  ),
  rm: flag.switch({ help: 'Automatically remove the container and its associated anonymous volumes when it exits' }),
  runtime: flag.text({ help: 'Runtime to use for this container' }),
  securityOpt: flag.list({ help: 'Security Options' }),
  sigProxy: flag.switch({ help: 'Proxy received signals to the process', initial: true }),
  stopSignal: flag.text({ help: 'Signal to stop the container' }),
  stopTimeout: flag.integer({ help: 'Timeout (in seconds) to stop a container' }),
  storageOpt: flag.list({ help: 'Storage driver options for the container' }),
  sysctl: flag.listOf({ help: 'Sysctl options', placeholder: 'map' }, parseSysctl),
  tmpfs: flag.list({ help: 'Mount a tmpfs directory' }),
  tty: flag.switch({ short: 't', help: 'Allocate a pseudo-TTY' }),
  user: flag.text({ short: 'u', help: 'Username or UID (format: <name|uid>[:<group|gid>])' }),
  userns: flag.text({ help: 'User namespace to use', offers: ['host'] }),
  uts: flag.text({ help: 'UTS namespace to use', offers: ['host'] }),
  volume: flag.list({ short: 'v', help: 'Bind mount a volume', offers: 'volume' }),
  volumeDriver: flag.text({ help: 'Optional volume driver for the container' }),
  volumesFrom: flag.list({ help: 'Mount volumes from the specified container(s)', offers: 'container' }),
  workdir: flag.text({ short: 'w', help: 'Working directory inside the container' }),
}; // prettier-ignore

export type RunFlags = ValuesOf<typeof runFlags>;

/** Flags of docker's `run` that are not there: those for Windows, and one that Linux has dropped. */
export const missingRunFlags = [
  'cpu-count',
  'cpu-percent',
  'io-maxbandwidth',
  'io-maxiops',
  'kernel-memory',
  'use-api-socket',
];

/** In nanoseconds, as the wire has it. */
function duration(help: string): Flag<number | undefined> {
  return flag.value({ help, standard: '0s' }, 'duration', (text) => {
    const seconds = parseDuration(text);
    if (seconds === null) throw new RangeError(`time: invalid duration "${text}"`);
    return Math.round(seconds * 1e9);
  });
}
