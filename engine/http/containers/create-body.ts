/** From Docker's create body to our own request: the one place where those words are translated on their way in. */
import path from 'node:path';
import type { CreateRequest } from '../../containers/create-request.ts';
import type { MountSpec, NetworkMode, ResourceSpec } from '../../containers/spec.ts';
import { invalid, notImplemented } from '../../model/errors.ts';
import { Fields } from '../fields.ts';
import { refuseWhatIsNotThere } from './not-yet.ts';
import { exposedPort, publishedPorts } from './ports.ts';

const minMemoryBytes = 6 * 1024 * 1024;

/** Throws `invalid` for what is wrong, `not-implemented` for what is right and not there yet. */
export function readCreateBody(body: Record<string, unknown>, name: string | null): CreateRequest {
  const config = new Fields('ContainerConfig', body);
  const host = config.object('HostConfig');
  refuseWhatIsNotThere(config, host);
  const workingDir = config.text('WorkingDir');
  if (workingDir !== '' && !path.posix.isAbsolute(workingDir)) {
    throw invalid(`the working directory '${workingDir}' is invalid, it needs to be an absolute path`);
  }
  const log = host.object('LogConfig');
  return {
    name,
    imageName: config.text('Image'),
    process: {
      entrypoint: config.words('Entrypoint'),
      command: config.words('Cmd'),
      env: config.texts('Env').map(checkedVariable),
      workingDir: workingDir === '' ? null : path.posix.normalize(workingDir),
      user: orNull(config.text('User')),
      hasTerminal: config.flag('Tty'),
      consoleSize: consoleSize(host.raw('ConsoleSize')),
      isStdinOpen: config.flag('OpenStdin'),
      isStdinOnce: config.flag('StdinOnce'),
      attached: {
        stdin: config.flag('AttachStdin'),
        stdout: config.flag('AttachStdout'),
        stderr: config.flag('AttachStderr'),
      },
    },
    hostname: hostname(config.text('Hostname')),
    domainname: config.text('Domainname'),
    labels: config.textMap('Labels'),
    stopSignal: orNull(config.text('StopSignal')),
    stopTimeoutSeconds: config.raw('StopTimeout') === 0 ? 0 : config.integer('StopTimeout'),
    network: network(config, host),
    mounts: mounts(host),
    isAutoRemoved: host.flag('AutoRemove'),
    isPrivileged: host.flag('Privileged'),
    isRootReadOnly: host.flag('ReadonlyRootfs'),
    addedCapabilities: host.texts('CapAdd'),
    droppedCapabilities: host.texts('CapDrop'),
    securityOptions: host.texts('SecurityOpt'),
    resources: resources(host),
    logDriver: orNull(log.text('Type')),
    logOptions: log.textMap('Config'),
    shmSizeBytes: positive('ShmSize', host.integer('ShmSize')),
  };
}

function network(config: Fields, host: Fields): CreateRequest['network'] {
  const mode = networkMode(host.text('NetworkMode'));
  const endpoints = config.object('NetworkingConfig').object('EndpointsConfig');
  for (const network of endpoints.names()) {
    if (!['bridge', 'default', 'host', 'none'].includes(network)) throw invalidNetwork(network);
    const endpoint = endpoints.object(network);
    for (const field of ['IPAMConfig', 'Links', 'MacAddress', 'DriverOpts', 'GwPriority']) {
      if (endpoint.isGiven(field))
        throw notImplemented(`${field} of a network endpoint is not there yet in this version of the Skiff engine`);
    }
  }
  const published = publishedPorts(host.object('PortBindings'));
  return {
    mode,
    exposed: config.keys('ExposedPorts').flatMap(exposedPort),
    published: mode === 'bridge' ? published : [],
    publishesAll: host.flag('PublishAllPorts'),
    dns: host.texts('Dns'),
    dnsSearch: host.texts('DnsSearch'),
    dnsOptions: host.texts('DnsOptions'),
    extraHosts: host.texts('ExtraHosts').map(checkedExtraHost),
  };
}

function networkMode(text: string): NetworkMode {
  if (text === '' || text === 'default' || text === 'bridge') return 'bridge';
  if (text === 'host' || text === 'none') return text;
  throw invalidNetwork(text);
}

function invalidNetwork(name: string): Error {
  return notImplemented(
    `network ${name}: only bridge, host and none are there yet in this version of the Skiff engine`,
  );
}

function mounts(host: Fields): readonly MountSpec[] {
  const all = [
    ...host.texts('Binds').map(bindMount),
    ...host.objects('Mounts').map(typedMount),
    ...Object.entries(host.textMap('Tmpfs')).map(([target, options]): MountSpec => ({
      kind: 'tmpfs',
      target: mountTarget(target),
      options,
    })),
  ];
  const seen = new Set<string>();
  for (const { target } of all) {
    if (seen.has(target)) throw invalid(`Duplicate mount point: ${target}`);
    seen.add(target);
  }
  // Shallow ones first, so that /a is there before /a/b is mounted into it.
  return all.toSorted(
    (a, b) => a.target.split('/').length - b.target.split('/').length || (a.target < b.target ? -1 : 1),
  );
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];

/** `source:target[:mode]` (source: docker run reference, --volume). */
function bindMount(text: string): MountSpec {
  const parts = text.split(':');
  const [source = '', target = '', mode = ''] = parts;
  if (parts.length < 2 || parts.length > 3 || source === '' || target === '')
    throw invalid(`invalid volume specification: '${text}'`);
  if (!path.posix.isAbsolute(source)) {
    throw notImplemented(
      `named volumes are not there yet in this version of the Skiff engine: give an absolute path instead of '${source}'`,
    );
  }
  let isReadOnly = false;
  let propagation = 'rprivate';
  for (const word of mode === '' ? [] : mode.split(',')) {
    if (word === 'ro') isReadOnly = true;
    else if (propagations.includes(word)) propagation = word;
    else if (!['rw', 'z', 'Z', 'nocopy', 'consistent', 'cached', 'delegated'].includes(word))
      throw invalid(`invalid mode: ${mode}`);
  }
  return {
    kind: 'bind',
    source: path.posix.normalize(source),
    target: mountTarget(target),
    isReadOnly,
    propagation,
    mode,
  };
}

function typedMount(mount: Fields): MountSpec {
  const target = mountTarget(mount.text('Target'));
  if (mount.text('Type') === 'tmpfs') {
    const options = mount.object('TmpfsOptions');
    const size = options.integer('SizeBytes');
    const mode = options.integer('Mode');
    const words = [size === null ? '' : `size=${size}`, mode === null ? '' : `mode=${mode.toString(8)}`];
    return { kind: 'tmpfs', target, options: words.filter((word) => word !== '').join(',') };
  }
  const source = mount.text('Source');
  if (!path.posix.isAbsolute(source))
    throw invalid(`invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`);
  const propagation = mount.object('BindOptions').text('Propagation') || 'rprivate';
  if (!propagations.includes(propagation)) throw invalid(`invalid propagation mode: ${propagation}`);
  return { kind: 'bind', source, target, isReadOnly: mount.flag('ReadOnly'), propagation, mode: '' };
}

function mountTarget(target: string): string {
  const normal = path.posix.normalize(target).replace(/(.)\/$/, '$1');
  if (!path.posix.isAbsolute(target)) throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
  if (normal === '/') throw invalid("invalid specification: destination can't be '/'");
  return normal;
}

function resources(host: Fields): ResourceSpec {
  const memoryBytes = positive('Memory', host.integer('Memory'));
  const memorySwapBytes = host.integer('MemorySwap');
  const nanoCpus = positive('NanoCpus', host.integer('NanoCpus'));
  const cpuPeriodUs = host.integer('CpuPeriod');
  const cpuQuotaUs = host.integer('CpuQuota');
  if (memoryBytes !== null && memoryBytes < minMemoryBytes) throw invalid('Minimum memory limit allowed is 6MB');
  if (memorySwapBytes !== null && memorySwapBytes !== -1) {
    if (memoryBytes === null)
      throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
    if (memorySwapBytes < memoryBytes)
      throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (nanoCpus !== null && (cpuPeriodUs !== null || cpuQuotaUs !== null)) {
    throw invalid('Conflicting options: Nano CPUs and CPU Period or Quota cannot both be set.');
  }
  const pids = host.integer('PidsLimit');
  return {
    memoryBytes,
    memorySwapBytes,
    nanoCpus,
    cpuShares: host.integer('CpuShares'),
    cpuPeriodUs,
    cpuQuotaUs,
    cpusetCpus: orNull(host.text('CpusetCpus')),
    pidsLimit: pids === null || pids < 0 ? null : pids,
  };
}

function positive(name: string, value: number | null): number | null {
  if (value !== null && value < 0) throw invalid(`invalid ${name}: ${value} is negative`);
  return value;
}

function consoleSize(value: unknown): { rows: number; columns: number } | null {
  if (!Array.isArray(value)) return null;
  const [rows, columns] = value as unknown[];
  if (!Number.isInteger(rows) || !Number.isInteger(columns))
    throw invalid('invalid JSON: ConsoleSize must be two numbers');
  return rows === 0 && columns === 0 ? null : { rows: Number(rows), columns: Number(columns) };
}

function hostname(text: string): string | null {
  if (text === '') return null;
  if (text.length > 63 || !/^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$/.test(text))
    throw invalid(`invalid hostname format: ${text}`);
  return text;
}

function checkedVariable(variable: string): string {
  if (variable === '' || variable.startsWith('=')) throw invalid(`invalid environment variable: ${variable}`);
  if (variable.includes('\0')) throw invalid('invalid environment variable: it holds a zero byte');
  return variable;
}

function checkedExtraHost(text: string): string {
  const at = text.indexOf(':');
  if (at < 1 || at === text.length - 1) throw invalid(`invalid extra host: ${text}: expected name:address`);
  return text;
}

function orNull(text: string): string | null {
  return text === '' ? null : text;
}
