import { flag } from '../flags/flag.ts';
import type { ValuesOf } from '../flags/flag.ts';
import { parseMemory } from '../formats/sizes.ts';
import { parseLabel, parseVariable } from './environment.ts';
import { parseCpus, parseRestartPolicy, parseSwap } from './limits.ts';
import { parseHostMapping, parseStream } from './words.ts';

/** The flags of `create` and `run` that describe a container. */
export const runFlags = {
  addHost: flag.list({ help: 'Add a custom host-to-IP mapping (host:ip)' }, parseHostMapping),
  attach: flag.list({ short: 'a', help: 'Attach to STDIN, STDOUT or STDERR' }, parseStream),
  capAdd: flag.list({ help: 'Add Linux capabilities' }),
  capDrop: flag.list({ help: 'Drop Linux capabilities' }),
  cidfile: flag.text({ help: 'Write the container ID to the file' }),
  cpuPeriod: flag.integer({ help: 'Limit CPU CFS (Completely Fair Scheduler) period' }),
  cpuQuota: flag.integer({ help: 'Limit CPU CFS (Completely Fair Scheduler) quota' }),
  cpuShares: flag.integer({ short: 'c', help: 'CPU shares (relative weight)' }),
  cpus: flag.value({ help: 'Number of CPUs' }, 'decimal', parseCpus),
  cpusetCpus: flag.text({ help: 'CPUs in which to allow execution (0-3, 0,1)' }),
  detach: flag.switch({ short: 'd', help: 'Run container in background and print container ID' }),
  detachKeys: flag.text({ help: 'Override the key sequence for detaching a container' }),
  dns: flag.list({ help: 'Set custom DNS servers' }),
  dnsOption: flag.list({ help: 'Set DNS options' }),
  dnsSearch: flag.list({ help: 'Set custom DNS search domains' }),
  domainname: flag.text({ help: 'Container NIS domain name' }),
  entrypoint: flag.text({ help: 'Overwrite the default ENTRYPOINT of the image' }),
  env: flag.list({ short: 'e', help: 'Set environment variables' }, parseVariable),
  envFile: flag.list({ help: 'Read in a file of environment variables' }),
  expose: flag.list({ help: 'Expose a port or a range of ports' }),
  hostname: flag.text({ short: 'h', help: 'Container host name' }),
  interactive: flag.switch({ short: 'i', help: 'Keep STDIN open even if not attached' }),
  label: flag.list({ short: 'l', help: 'Set meta data on a container' }, parseLabel),
  labelFile: flag.list({ help: 'Read in a line delimited file of labels' }),
  logDriver: flag.text({ help: 'Logging driver for the container' }),
  logOpt: flag.list({ help: 'Log driver options' }),
  memory: flag.value({ short: 'm', help: 'Memory limit' }, 'bytes', parseMemory),
  memorySwap: flag.value(
    { help: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap" },
    'bytes',
    (text) => parseSwap(text, parseMemory),
  ),
  name: flag.text({ help: 'Assign a name to the container' }),
  net: flag.text({ help: 'Connect a container to a network', placeholder: 'network' }),
  network: flag.text({ help: 'Connect a container to a network', placeholder: 'network' }),
  pidsLimit: flag.integer({ help: 'Tune container pids limit (set -1 for unlimited)' }),
  platform: flag.text({ help: 'Set platform if server is multi-platform capable' }),
  privileged: flag.switch({ help: 'Give extended privileges to this container' }),
  publish: flag.list({ short: 'p', help: "Publish a container's port(s) to the host" }),
  publishAll: flag.switch({ short: 'P', help: 'Publish all exposed ports to random ports' }),
  pull: flag.text({ help: 'Pull image before running ("always", "missing", "never")' }),
  quiet: flag.switch({ short: 'q', help: 'Suppress the pull output' }),
  readOnly: flag.switch({ help: "Mount the container's root filesystem as read only" }),
  restart: flag.value({ help: 'Restart policy to apply when a container exits' }, 'string', parseRestartPolicy),
  rm: flag.switch({ help: 'Automatically remove the container and its associated anonymous volumes when it exits' }),
  securityOpt: flag.list({ help: 'Security Options' }),
  shmSize: flag.value({ help: 'Size of /dev/shm' }, 'bytes', parseMemory),
  sigProxy: flag.switch({ help: 'Proxy received signals to the process', initial: true }),
  stopSignal: flag.text({ help: 'Signal to stop the container' }),
  stopTimeout: flag.integer({ help: 'Timeout (in seconds) to stop a container' }),
  tmpfs: flag.list({ help: 'Mount a tmpfs directory' }),
  tty: flag.switch({ short: 't', help: 'Allocate a pseudo-TTY' }),
  user: flag.text({ short: 'u', help: 'Username or UID (format: <name|uid>[:<group|gid>])' }),
  volume: flag.list({ short: 'v', help: 'Bind mount a volume' }),
  workdir: flag.text({ short: 'w', help: 'Working directory inside the container' }),
};

export type RunFlags = ValuesOf<typeof runFlags>;

/** Flags of docker's `run` that are not there yet. */
export const missingRunFlags = [
  'annotation', 'blkio-weight', 'blkio-weight-device', 'cgroup-parent', 'cgroupns', 'cpu-rt-period', 'cpu-rt-runtime', 'cpuset-mems',
  'device', 'device-cgroup-rule', 'device-read-bps', 'device-read-iops', 'device-write-bps', 'device-write-iops', 'disable-content-trust',
  'gpus', 'group-add', 'health-cmd', 'health-interval', 'health-retries', 'health-start-interval', 'health-start-period', 'health-timeout',
  'init', 'ip', 'ip6', 'ipc', 'isolation', 'kernel-memory', 'link', 'link-local-ip', 'mac-address', 'memory-reservation',
  'memory-swappiness', 'mount', 'network-alias', 'no-healthcheck', 'oom-kill-disable', 'oom-score-adj', 'pid', 'runtime', 'storage-opt',
  'sysctl', 'ulimit', 'use-api-socket', 'userns', 'uts', 'volume-driver', 'volumes-from',
]; // prettier-ignore
