import type { Container } from '../../desktop/contract/containers.ts';
import type { Driver, SettingField } from '../../desktop/contract/drivers.ts';
import type { Image, Layer, Pull, PullLayer, TreeFile } from '../../desktop/contract/images.ts';
import type { Machine, Operation, Step } from '../../desktop/contract/machines.ts';

/** Rows to fill a page with. Times are relative to `now`, so that ages on screenshots stay the same. */
const minute = 60_000;
const hour = 60 * minute;
const giga = 1024 ** 3;

export function machineRow(fields: Partial<Machine> = {}): Machine {
  return {
    name: 'default',
    driver: 'qemu',
    state: 'running',
    error: null,
    settings: { cpus: 4, memoryBytes: 4 * giga, diskBytes: 64 * giga, shares: ['/Users/mara', '/srv/data:/data:ro'] },
    abilities: ['pause', 'suspend', 'resize', 'snapshots', 'copies', 'file-sharing'],
    createdAt: new Date(Date.now() - 52 * hour).toISOString(),
    address: 'root@127.0.0.1:49213',
    connection: { state: 'ready', error: null },
    resources: [],
    logs: ['console', 'engine', 'agent'],
    dockerHost: 'unix:///Users/mara/Library/Application Support/Skiff/machines/default/docker.sock',
    dockerContext: 'skiff-default',
    engineVersion: '0.1.0',
    facts: { accelerator: 'hvf, cpu host', 'last boot': '1.2 s' },
    operation: null,
    ...fields,
  };
}

function field(
  given: Partial<SettingField> & Pick<SettingField, 'key' | 'flag' | 'kind' | 'title' | 'help'>,
): SettingField {
  return {
    standard: null,
    isRequired: false,
    least: null,
    most: null,
    choices: null,
    change: 'never',
    isLasting: false,
    isAdvanced: true,
    ...given,
  };
}

function driverRow(given: Partial<Driver> & Pick<Driver, 'name' | 'title'>): Driver {
  return { unavailable: null, isAutomatic: false, abilities: [], settings: [], ...given };
}

/** Settings of a machine of this computer. */
function sizeFields(): SettingField[] {
  const front = { isAdvanced: false } as const;
  return [
    field({ ...front, key: 'cpus', flag: 'cpus', kind: 'integer', title: 'Processors', help: 'Number of processors of the machine', least: 1, most: 8, standard: 4, change: 'restart' }),
    field({ ...front, key: 'memoryBytes', flag: 'memory', kind: 'bytes', title: 'Memory', help: 'Size of its memory (2g)', least: giga / 2, most: 16 * giga, standard: 2 * giga, change: 'restart' }),
    field({ ...front, key: 'diskBytes', flag: 'disk', kind: 'bytes', title: 'Disk', help: 'Size of its disk (20g), which takes only the space of what is in it; it can grow later', least: 2 * giga, most: 16_384 * giga, standard: 64 * giga, change: 'live' }),
    field({ ...front, key: 'shares', flag: 'mount', kind: 'list', title: 'Shared folders', help: 'Folder of this computer that its containers may bind (HOST[:MACHINE][:ro])', standard: ['~'] }),
  ]; // prettier-ignore
}

/** Settings of a host that is reached by SSH. */
function hostFields(): SettingField[] {
  const front = { isAdvanced: false } as const;
  return [
    field({ ...front, key: 'ipAddress', flag: 'generic-ip-address', kind: 'text', title: 'Address', help: 'Address or name of the host, or an alias of your SSH configuration', isRequired: true }),
    field({ ...front, key: 'sshUser', flag: 'generic-ssh-user', kind: 'text', title: 'User', help: 'User to log in as (default: as your SSH configuration says, else root)' }),
    field({ ...front, key: 'sshPassword', flag: 'generic-ssh-password', kind: 'secret', title: 'Password', help: 'Password to log in with the first time' }),
    field({ ...front, key: 'sudoPassword', flag: 'sudo-password', kind: 'secret', title: 'Password for sudo', help: 'Password that sudo asks for there', isLasting: true }),
    field({ key: 'sshPort', flag: 'generic-ssh-port', kind: 'integer', title: 'Port', help: 'Port of its SSH server (default: as your SSH configuration says, else 22)', least: 1, most: 65_535 }),
    field({ key: 'jumps', flag: 'generic-jump', kind: 'list', title: 'Hosts on the way', help: 'Host to go through, user@host:port', standard: [] }),
    field({ key: 'isAdopting', flag: 'generic-adopt', kind: 'switch', title: 'Take over', help: 'Take over the engine that another Skiff brought to that host; that one loses it', standard: false }),
  ]; // prettier-ignore
}

/** Drivers as a Linux computer has them: those that work, and one whose program is missing. */
export function dailyDrivers(): Driver[] {
  return [
    driverRow({
      name: 'qemu',
      title: 'QEMU',
      isAutomatic: true,
      abilities: ['pause', 'suspend', 'resize', 'snapshots', 'copies'],
      settings: sizeFields(),
    }),
    driverRow({
      name: 'virtualbox',
      title: 'VirtualBox',
      unavailable: 'VBoxManage is not there: install VirtualBox 7, and try again.',
      isAutomatic: true,
      abilities: ['pause', 'suspend', 'copies'],
      settings: sizeFields(),
    }),
    driverRow({ name: 'local', title: 'This computer' }),
    driverRow({ name: 'generic', title: 'A Linux host by SSH', settings: hostFields() }),
  ];
}

export function operationRow(fields: Partial<Operation> = {}): Operation {
  return {
    id: 'operation-1',
    verb: 'ensure-running',
    state: 'running',
    startedAt: Date.now(),
    elapsedMs: 0,
    steps: [],
    error: null,
    ...fields,
  };
}

export function stepRow(fields: Partial<Step> & Pick<Step, 'step' | 'title'>): Step {
  return { state: 'waiting', fraction: null, detail: null, elapsedMs: 0, ...fields };
}

/** The steps of a first run as the provisioner reports them, of which `done` are finished and the next one is under way. */
export function firstRunSteps(done: number): Step[] {
  const steps: readonly (Pick<Step, 'step' | 'title' | 'fraction' | 'detail'> & { readonly ms: number })[] = [
    {
      step: 'image-download',
      title: 'Downloading the machine image',
      fraction: 0.62,
      detail: '78 of 126 MB',
      ms: 21_400,
    },
    { step: 'make-machine', title: 'Making the machine', fraction: null, detail: null, ms: 340 },
    { step: 'boot', title: 'Starting the machine', fraction: null, detail: 'Linux is up, waiting for SSH', ms: 5_200 },
    { step: 'deploy-engine', title: 'Deploying the engine', fraction: 0.4, detail: '14 of 35 MB', ms: 2_900 },
    { step: 'host-agent', title: 'Connecting this computer to the engine', fraction: null, detail: null, ms: 210 },
  ];
  return steps
    .slice(0, done + 1)
    .map(({ ms, ...step }, index) =>
      index < done
        ? stepRow({ ...step, fraction: null, detail: null, state: 'done', elapsedMs: ms })
        : stepRow({ ...step, state: 'running', elapsedMs: Math.round(ms * 0.6) }),
    );
}

let made = 0;

export function containerRow(fields: Partial<Container> = {}): Container {
  made += 1;
  const id = fields.id ?? (made * 2_654_435_761).toString(16).padStart(12, '0').repeat(6).slice(0, 64);
  const state = fields.state ?? 'running';
  const createdAt = fields.createdAt ?? Date.now() - made * 7 * minute;
  return {
    machine: 'default',
    id,
    name: `box-${made}`,
    image: 'busybox:1.37',
    imageId: `sha256:${'0'.repeat(64)}`,
    command: 'sh',
    state,
    createdAt,
    startedAt: state === 'created' ? null : createdAt + 800,
    finishedAt: state === 'exited' || state === 'dead' ? createdAt + 95_000 : null,
    exitCode: state === 'exited' ? 0 : null,
    error: null,
    ports: [],
    labels: {},
    ...fields,
  };
}

function published(containerPort: number, hostPort: number): Container['ports'][number] {
  return {
    containerPort,
    protocol: 'tcp',
    published: { ip: '0.0.0.0', port: hostPort },
    localAddress: `localhost:${hostPort}`,
    forwardError: null,
  };
}

/** A working day's list: different states, ports, a long name, a failure. */
export function dailyContainers(): Container[] {
  const now = Date.now();
  const at = (createdAgo: number, fields: Partial<Container>): Container =>
    containerRow({ createdAt: now - createdAgo, startedAt: now - createdAgo + 900, ...fields });
  return [
    at(3 * minute, {
      name: 'web',
      image: 'nginx:1.29-alpine',
      command: "nginx -g 'daemon off;'",
      ports: [published(80, 8080), published(443, 8443)],
    }),
    at(3 * minute + 2_000, {
      name: 'api',
      image: 'registry.example.org/shop/api:2026.11.3',
      command: 'node server.js',
      ports: [published(3000, 3000)],
    }),
    at(3 * minute + 4_000, {
      name: 'postgres',
      image: 'postgres:18',
      command: 'postgres',
      ports: [published(5432, 5432)],
    }),
    at(2 * hour, {
      name: 'cache',
      image: 'valkey/valkey:9',
      command: 'valkey-server',
      ports: [{ ...published(6379, 6379), localAddress: null, forwardError: 'Port 6379 is in use on this computer.' }],
    }),
    at(5 * hour, {
      name: 'nightly-report',
      image: 'shop/report:latest',
      state: 'exited',
      exitCode: 0,
      finishedAt: now - 5 * hour + 74_000,
      command: 'report --since yesterday',
    }),
    at(26 * hour, {
      name: 'migrate',
      image: 'registry.example.org/shop/migrations:2026.11.2',
      state: 'exited',
      exitCode: 137,
      finishedAt: now - 26 * hour + 12_000,
      command: 'migrate up',
    }),
    at(27 * hour, { name: 'try-it', image: 'debian:13-slim', state: 'created', startedAt: null, command: 'bash' }),
    at(75 * hour, {
      name: 'a-really-long-name-that-somebody-generated-from-a-branch-feature-checkout-rewrite-7f3c',
      image: 'registry.example.org/team-with-a-long-name/service-with-a-long-name:feature-checkout-rewrite-7f3c2a9',
      state: 'paused',
      command: 'worker --queue checkout',
      ports: [published(9000, 9000), published(9001, 9001), published(9002, 9002)],
    }),
  ];
}

export function imageRow(fields: Partial<Image> = {}): Image {
  made += 1;
  const digits = (made * 2_654_435_761).toString(16).padStart(12, '0').repeat(6).slice(0, 64);
  return {
    machine: 'default',
    id: `sha256:${digits}`,
    names: [`image-${made}:latest`],
    digests: [],
    createdAt: Date.now() - made * 7 * hour,
    sizeBytes: made * 17_000_000,
    ...fields,
  };
}

export function pullRow(fields: Partial<Pull> = {}): Pull {
  return {
    id: 'pull-1',
    machine: 'default',
    reference: 'postgres:18',
    state: 'running',
    status: null,
    layers: [],
    fraction: null,
    startedAt: Date.now(),
    error: null,
    ...fields,
  };
}

export function pullLayer(
  id: string,
  status: string,
  doneBytes: number | null = null,
  totalBytes: number | null = null,
): PullLayer {
  return { id, status, doneBytes, totalBytes };
}

/** The images that the containers of `dailyContainers` are made from, and two that nobody uses. */
export function dailyImages(): Image[] {
  const now = Date.now();
  const at = (days: number, megabytes: number, fields: Partial<Image>): Image =>
    imageRow({ createdAt: now - days * 24 * hour, sizeBytes: megabytes * 1_000_000, ...fields });
  return [
    at(6, 52, { names: ['nginx:1.29-alpine'], digests: [`nginx@sha256:${'1b'.repeat(32)}`] }),
    at(1, 214, { names: ['registry.example.org/shop/api:2026.11.3', 'registry.example.org/shop/api:latest'] }),
    at(20, 456, { names: ['postgres:18'], digests: [`postgres@sha256:${'2c'.repeat(32)}`] }),
    at(41, 121, { names: ['valkey/valkey:9'], digests: [`valkey/valkey@sha256:${'3d'.repeat(32)}`] }),
    at(2, 340, { names: ['shop/report:latest'] }),
    at(12, 78, { names: ['debian:13-slim'], digests: [`debian@sha256:${'4e'.repeat(32)}`] }),
    at(3, 338, { names: [] }),
  ];
}

export function layerRow(index: number, megabytes: number, instruction: string, fields: Partial<Layer> = {}): Layer {
  const bytes = megabytes * 1_000_000;
  return {
    index,
    diffId: `sha256:${String(index).repeat(64).slice(0, 64)}`,
    sizeBytes: bytes,
    instruction,
    createdAt: new Date(Date.now() - 24 * hour).toISOString(),
    added: { entries: 100 * (index + 1), bytes },
    changed: { entries: 0, bytes: 0 },
    removed: { entries: 0, bytes: 0 },
    wastedBytes: 0,
    ...fields,
  };
}

export function fileRow(name: string, fields: Partial<TreeFile> = {}): TreeFile {
  const kind = fields.kind ?? 'file';
  return {
    name,
    path: name,
    kind,
    totalBytes: 4_096,
    totalFiles: 1,
    mode: kind === 'directory' ? 0o755 : 0o644,
    userId: 0,
    groupId: 0,
    modifiedAt: new Date(Date.now() - 24 * hour).toISOString(),
    linkTarget: null,
    layer: 0,
    change: null,
    hasChangesBelow: false,
    ...fields,
  };
}
