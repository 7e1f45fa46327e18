import type { Verb } from './verb.ts';

/** A verb by name: its line in the help, other names, and how its code is loaded when it is wanted. */
interface VerbEntry {
  readonly summary: string;
  readonly aliases?: readonly string[];
  load(): Promise<Verb>;
}

export type VerbTable = Readonly<Record<string, VerbEntry>>;

/** Verbs about one kind of thing: `skiff network ls`. */
export interface VerbGroup {
  /** As it is called: `skiff network`. */
  readonly name: string;
  readonly title: string;
  readonly table: VerbTable;
  /** Verbs about what a thing of this kind has: `skiff container snapshot ls`. */
  readonly groups?: Readonly<Record<string, VerbGroup>>;
  /** Verbs of docker and docker-machine that are not there yet: a better answer than "unknown". */
  readonly missing: readonly string[];
}

const containerVerbs: VerbTable = {
  attach: { summary: 'Attach local standard input, output, and error streams to a running container', load: async () => (await import('./verbs/container/attach.ts')).attach },
  commit: { summary: "Create a new image from a container's changes", load: async () => (await import('./verbs/container/commit.ts')).commit },
  cp: { summary: 'Copy files/folders between a container and the local filesystem', load: async () => (await import('./verbs/container/cp.ts')).cp },
  create: { summary: 'Create a new container', load: async () => (await import('./verbs/container/run.ts')).create },
  diff: { summary: "Inspect changes to files or directories on a container's filesystem", load: async () => (await import('./verbs/container/files.ts')).diff },
  exec: { summary: 'Execute a command in a running container', load: async () => (await import('./verbs/container/exec.ts')).exec },
  export: { summary: "Export a container's filesystem as a tar archive", load: async () => (await import('./verbs/container/files.ts')).exportFiles },
  inspect: { summary: 'Display detailed information on one or more containers', load: async () => (await import('./verbs/inspect.ts')).inspectContainer },
  kill: { summary: 'Kill one or more running containers', load: async () => (await import('./verbs/container/lifecycle.ts')).kill },
  logs: { summary: 'Fetch the logs of a container', load: async () => (await import('./verbs/container/logs.ts')).logs },
  ls: { summary: 'List containers', aliases: ['list', 'ps'], load: async () => (await import('./verbs/container/ls.ts')).ls },
  pause: { summary: 'Pause all processes within one or more containers', load: async () => (await import('./verbs/container/lifecycle.ts')).pause },
  port: { summary: 'List port mappings or a specific mapping for the container', load: async () => (await import('./verbs/container/port.ts')).port },
  prune: { summary: 'Remove all stopped containers', load: async () => (await import('./verbs/prune.ts')).pruneContainers },
  rename: { summary: 'Rename a container', load: async () => (await import('./verbs/container/update.ts')).rename },
  restart: { summary: 'Restart one or more containers', load: async () => (await import('./verbs/container/lifecycle.ts')).restart },
  rm: { summary: 'Remove one or more containers', aliases: ['remove'], load: async () => (await import('./verbs/container/rm.ts')).rm },
  run: { summary: 'Create and run a new container from an image', load: async () => (await import('./verbs/container/run.ts')).run },
  start: { summary: 'Start one or more stopped containers', load: async () => (await import('./verbs/container/start.ts')).start },
  stats: { summary: 'Display a live stream of container(s) resource usage statistics', load: async () => (await import('./verbs/container/stats.ts')).stats },
  stop: { summary: 'Stop one or more running containers', load: async () => (await import('./verbs/container/lifecycle.ts')).stop },
  top: { summary: 'Display the running processes of a container', load: async () => (await import('./verbs/container/top.ts')).top },
  unpause: { summary: 'Unpause all processes within one or more containers', load: async () => (await import('./verbs/container/lifecycle.ts')).unpause },
  update: { summary: 'Update configuration of one or more containers', load: async () => (await import('./verbs/container/update.ts')).update },
  wait: { summary: 'Block until one or more containers stop, then print their exit codes', load: async () => (await import('./verbs/container/lifecycle.ts')).wait },
}; // prettier-ignore

const networkVerbs: VerbTable = {
  connect: { summary: 'Connect a container to a network', load: async () => (await import('./verbs/network/connect.ts')).connect },
  create: { summary: 'Create a network', load: async () => (await import('./verbs/network/create.ts')).create },
  disconnect: { summary: 'Disconnect a container from a network', load: async () => (await import('./verbs/network/connect.ts')).disconnect },
  inspect: { summary: 'Display detailed information on one or more networks', load: async () => (await import('./verbs/inspect.ts')).inspectNetwork },
  ls: { summary: 'List networks', aliases: ['list'], load: async () => (await import('./verbs/network/ls.ts')).ls },
  prune: { summary: 'Remove all unused networks', load: async () => (await import('./verbs/prune.ts')).pruneNetworks },
  rm: { summary: 'Remove one or more networks', aliases: ['remove'], load: async () => (await import('./verbs/network/rm.ts')).rm },
}; // prettier-ignore

const volumeVerbs: VerbTable = {
  create: { summary: 'Create a volume', load: async () => (await import('./verbs/volume/create.ts')).create },
  inspect: { summary: 'Display detailed information on one or more volumes', load: async () => (await import('./verbs/inspect.ts')).inspectVolume },
  ls: { summary: 'List volumes', aliases: ['list'], load: async () => (await import('./verbs/volume/ls.ts')).ls },
  prune: { summary: 'Remove unused local volumes', load: async () => (await import('./verbs/prune.ts')).pruneVolumes },
  rm: { summary: 'Remove one or more volumes', aliases: ['remove'], load: async () => (await import('./verbs/volume/rm.ts')).rm },
}; // prettier-ignore

const imageVerbs: VerbTable = {
  diff: { summary: 'Show what differs between two images: packages, configuration, files', load: async () => (await import('./verbs/image/diff.ts')).diffImages },
  flatten: { summary: 'Merge all layers of an image into one, as a new image', load: async () => (await import('./verbs/image/squash.ts')).flatten },
  history: { summary: 'Show the history of an image', load: async () => (await import('./verbs/image/history.ts')).history },
  import: { summary: 'Import the contents from a tarball to create a filesystem image', load: async () => (await import('./verbs/image/import.ts')).importImage },
  inspect: { summary: 'Display detailed information on one or more images', load: async () => (await import('./verbs/inspect.ts')).inspectImage },
  load: { summary: 'Load an image from a tar archive or STDIN', load: async () => (await import('./verbs/image/load.ts')).load },
  ls: { summary: 'List images', aliases: ['list'], load: async () => (await import('./verbs/image/ls.ts')).images },
  prune: { summary: 'Remove unused images', load: async () => (await import('./verbs/prune.ts')).pruneImages },
  pull: { summary: 'Download an image from a registry', load: async () => (await import('./verbs/image/pull.ts')).pull },
  push: { summary: 'Upload an image to a registry', load: async () => (await import('./verbs/image/push.ts')).push },
  rm: { summary: 'Remove one or more images', aliases: ['remove'], load: async () => (await import('./verbs/image/rm.ts')).rmi },
  save: { summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)', load: async () => (await import('./verbs/image/save.ts')).save },
  squash: { summary: 'Merge layers of an image into one, as a new image', load: async () => (await import('./verbs/image/squash.ts')).squash },
  tag: { summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', load: async () => (await import('./verbs/image/tag.ts')).tag },
  tree: { summary: 'Show the files of an image, or what one of its layers did', load: async () => (await import('./verbs/image/tree.ts')).tree },
}; // prettier-ignore

const manifestVerbs: VerbTable = {
  inspect: { summary: 'Display an image manifest, or manifest list', load: async () => (await import('./verbs/registry/manifest.ts')).inspect },
}; // prettier-ignore

const systemVerbs: VerbTable = {
  df: { summary: 'Show disk usage', load: async () => (await import('./verbs/system/df.ts')).df },
  events: { summary: 'Get real time events from the server', load: async () => (await import('./verbs/system/events.ts')).events },
  info: { summary: 'Display system-wide information', load: async () => (await import('./verbs/system/info.ts')).info },
  prune: { summary: 'Remove unused data', load: async () => (await import('./verbs/prune.ts')).pruneSystem },
  reclaim: { summary: 'Give back disk space that is kept for speed alone', load: async () => (await import('./verbs/system/reclaim.ts')).reclaim },
}; // prettier-ignore

const contextVerbs: VerbTable = {
  create: { summary: 'Create a context', load: async () => (await import('./verbs/context/change.ts')).create },
  export: { summary: 'Export a context to a tar archive FILE or a tar stream on STDOUT.', load: async () => (await import('./verbs/context/export.ts')).exportContext },
  import: { summary: 'Import a context from a tar or zip file', load: async () => (await import('./verbs/context/export.ts')).importContext },
  inspect: { summary: 'Display detailed information on one or more contexts', load: async () => (await import('./verbs/context/inspect.ts')).inspect },
  ls: { summary: 'List contexts', aliases: ['list'], load: async () => (await import('./verbs/context/ls.ts')).ls },
  rm: { summary: 'Remove one or more contexts', aliases: ['remove'], load: async () => (await import('./verbs/context/change.ts')).rm },
  show: { summary: 'Print the name of the current context', load: async () => (await import('./verbs/context/use.ts')).show },
  update: { summary: 'Update a context', load: async () => (await import('./verbs/context/change.ts')).update },
  use: { summary: 'Set the current context', load: async () => (await import('./verbs/context/use.ts')).use },
}; // prettier-ignore

const machineVerbs: VerbTable = {
  create: { summary: 'Create a machine', load: async () => (await import('./verbs/machine/create.ts')).create },
  ls: { summary: 'List machines', load: async () => (await import('./verbs/machine/ls.ts')).ls },
  start: { summary: 'Start a machine', load: async () => (await import('./verbs/machine/lifecycle.ts')).start },
  stop: { summary: 'Stop a machine gracefully', load: async () => (await import('./verbs/machine/lifecycle.ts')).stop },
  restart: { summary: 'Restart a machine', load: async () => (await import('./verbs/machine/lifecycle.ts')).restart },
  kill: { summary: 'Kill a machine', load: async () => (await import('./verbs/machine/lifecycle.ts')).kill },
  rm: { summary: 'Remove a machine', load: async () => (await import('./verbs/machine/lifecycle.ts')).rm },
  status: { summary: 'Get the status of a machine', load: async () => (await import('./verbs/machine/facts.ts')).status },
  inspect: { summary: 'Inspect information about a machine', load: async () => (await import('./verbs/machine/facts.ts')).inspect },
  ip: { summary: 'Get the IP address of a machine', load: async () => (await import('./verbs/machine/facts.ts')).ip },
  url: { summary: 'Get the URL of a machine', load: async () => (await import('./verbs/machine/facts.ts')).url },
  env: { summary: 'Display the commands to set up the environment for docker clients', load: async () => (await import('./verbs/machine/env.ts')).env },
  active: { summary: 'Print which machine docker clients of this shell talk to', load: async () => (await import('./verbs/machine/told.ts')).active },
  adopt: { summary: 'Take over a Linux host by SSH, with the engine that is there', load: async () => (await import('./verbs/machine/create.ts')).adopt },
  clone: { summary: 'Make a second machine of a stopped one', load: async () => (await import('./verbs/machine/copies.ts')).clone },
  config: { summary: 'Print the options with which docker talks to a machine', load: async () => (await import('./verbs/machine/told.ts')).config },
  doctor: { summary: 'Look at what machines need on this computer', load: async () => (await import('./verbs/machine/doctor.ts')).doctor },
  export: { summary: 'Write a stopped machine to a file', load: async () => (await import('./verbs/machine/copies.ts')).exportMachine },
  gc: { summary: 'Remove what machines that are gone left behind', load: async () => (await import('./verbs/machine/told.ts')).gc },
  import: { summary: 'Make a machine of an exported one', load: async () => (await import('./verbs/machine/copies.ts')).importMachine },
  logs: { summary: 'Show the logs of a machine', load: async () => (await import('./verbs/machine/logs.ts')).logs },
  mount: { summary: 'Mount a folder of a machine on this computer', load: async () => (await import('./verbs/machine/mount.ts')).mount },
  pause: { summary: 'Pause a machine', load: async () => (await import('./verbs/machine/power.ts')).pause },
  provision: { summary: 'Bring the engine into a machine again', load: async () => (await import('./verbs/machine/power.ts')).provision },
  'regenerate-certs': { summary: 'Make a new SSH key for a machine', load: async () => (await import('./verbs/machine/told.ts')).regenerateCertificates },
  resize: { summary: 'Change processors, memory or disk of a machine', load: async () => (await import('./verbs/machine/resize.ts')).resize },
  resume: { summary: 'Let a paused or suspended machine go on', load: async () => (await import('./verbs/machine/power.ts')).resume },
  scp: { summary: 'Copy files to and from machines', load: async () => (await import('./verbs/machine/scp.ts')).scp },
  share: { summary: 'List or change which folders of this computer a machine shares', load: async () => (await import('./verbs/machine/share.ts')).share },
  snapshot: { summary: 'List, take, restore or remove snapshots of a machine', load: async () => (await import('./verbs/machine/snapshot.ts')).snapshot },
  suspend: { summary: 'Suspend a machine to disk', load: async () => (await import('./verbs/machine/power.ts')).suspend },
  upgrade: { summary: 'Upgrade the engine of a machine', load: async () => (await import('./verbs/machine/power.ts')).upgrade },
  version: { summary: 'Show the version of the engine of a machine', load: async () => (await import('./verbs/machine/told.ts')).version },
  ssh: { summary: 'Log into or run a command in a machine by SSH', load: async () => (await import('./verbs/machine/ssh.ts')).ssh },
}; // prettier-ignore

/** What people type most, first in the help. */
export const commonVerbs: VerbTable = {
  run: { summary: 'Create and run a new container from an image', load: async () => (await import('./verbs/container/run.ts')).run },
  exec: { summary: 'Execute a command in a running container', load: async () => (await import('./verbs/container/exec.ts')).exec },
  ps: { summary: 'List containers', load: async () => (await import('./verbs/container/ls.ts')).ls },
  pull: { summary: 'Download an image from a registry', load: async () => (await import('./verbs/image/pull.ts')).pull },
  push: { summary: 'Upload an image to a registry', load: async () => (await import('./verbs/image/push.ts')).push },
  images: { summary: 'List images', load: async () => (await import('./verbs/image/ls.ts')).images },
  login: { summary: 'Authenticate to a registry', load: async () => (await import('./verbs/registry/login.ts')).login },
  logout: { summary: 'Log out from a registry', load: async () => (await import('./verbs/registry/login.ts')).logout },
  search: { summary: 'Search Docker Hub for images', load: async () => (await import('./verbs/registry/search.ts')).search },
  version: { summary: 'Show the Skiff version information', load: async () => (await import('./verbs/system/about.ts')).version },
  info: { summary: 'Display system-wide information', load: async () => (await import('./verbs/system/info.ts')).info },
}; // prettier-ignore

export const otherVerbs: VerbTable = {
  attach: { summary: 'Attach local standard input, output, and error streams to a running container', load: async () => (await import('./verbs/container/attach.ts')).attach },
  commit: { summary: "Create a new image from a container's changes", load: async () => (await import('./verbs/container/commit.ts')).commit },
  completion: { summary: 'Generate the autocompletion script for the specified shell', load: async () => (await import('./verbs/completion.ts')).completion },
  cp: { summary: 'Copy files/folders between a container and the local filesystem', load: async () => (await import('./verbs/container/cp.ts')).cp },
  create: { summary: 'Create a new container', load: async () => (await import('./verbs/container/run.ts')).create },
  diff: { summary: "Inspect changes to files or directories on a container's filesystem", load: async () => (await import('./verbs/container/files.ts')).diff },
  events: { summary: 'Get real time events from the server', load: async () => (await import('./verbs/system/events.ts')).events },
  export: { summary: "Export a container's filesystem as a tar archive", load: async () => (await import('./verbs/container/files.ts')).exportFiles },
  history: { summary: 'Show the history of an image', load: async () => (await import('./verbs/image/history.ts')).history },
  import: { summary: 'Import the contents from a tarball to create a filesystem image', load: async () => (await import('./verbs/image/import.ts')).importImage },
  inspect: { summary: 'Return low-level information on containers, images, networks and volumes', load: async () => (await import('./verbs/inspect.ts')).inspect },
  kill: { summary: 'Kill one or more running containers', load: async () => (await import('./verbs/container/lifecycle.ts')).kill },
  load: { summary: 'Load an image from a tar archive or STDIN', load: async () => (await import('./verbs/image/load.ts')).load },
  logs: { summary: 'Fetch the logs of a container', load: async () => (await import('./verbs/container/logs.ts')).logs },
  pause: { summary: 'Pause all processes within one or more containers', load: async () => (await import('./verbs/container/lifecycle.ts')).pause },
  port: { summary: 'List port mappings or a specific mapping for the container', load: async () => (await import('./verbs/container/port.ts')).port },
  rename: { summary: 'Rename a container', load: async () => (await import('./verbs/container/update.ts')).rename },
  restart: { summary: 'Restart one or more containers', load: async () => (await import('./verbs/container/lifecycle.ts')).restart },
  rm: { summary: 'Remove one or more containers', aliases: ['remove'], load: async () => (await import('./verbs/container/rm.ts')).rm },
  rmi: { summary: 'Remove one or more images', load: async () => (await import('./verbs/image/rm.ts')).rmi },
  save: { summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)', load: async () => (await import('./verbs/image/save.ts')).save },
  start: { summary: 'Start one or more stopped containers', load: async () => (await import('./verbs/container/start.ts')).start },
  stats: { summary: 'Display a live stream of container(s) resource usage statistics', load: async () => (await import('./verbs/container/stats.ts')).stats },
  stop: { summary: 'Stop one or more running containers', load: async () => (await import('./verbs/container/lifecycle.ts')).stop },
  tag: { summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', load: async () => (await import('./verbs/image/tag.ts')).tag },
  top: { summary: 'Display the running processes of a container', load: async () => (await import('./verbs/container/top.ts')).top },
  unpause: { summary: 'Unpause all processes within one or more containers', load: async () => (await import('./verbs/container/lifecycle.ts')).unpause },
  update: { summary: 'Update configuration of one or more containers', load: async () => (await import('./verbs/container/update.ts')).update },
  wait: { summary: 'Block until one or more containers stop, then print their exit codes', load: async () => (await import('./verbs/container/lifecycle.ts')).wait },
}; // prettier-ignore

const snapshotVerbs: VerbTable = {
  branch: { summary: 'Create a new container from a snapshot', load: async () => (await import('./verbs/snapshot/branch.ts')).branch },
  commit: { summary: 'Create a new image from a snapshot', load: async () => (await import('./verbs/snapshot/branch.ts')).commit },
  create: { summary: "Keep a container's files as they are now", load: async () => (await import('./verbs/snapshot/life.ts')).create },
  diff: { summary: 'Show what changed since a snapshot', load: async () => (await import('./verbs/snapshot/diff.ts')).diff },
  ls: { summary: 'List the snapshots of a container', aliases: ['list'], load: async () => (await import('./verbs/snapshot/ls.ts')).ls },
  rm: { summary: 'Remove one or more snapshots', aliases: ['remove'], load: async () => (await import('./verbs/snapshot/life.ts')).rm },
  rollback: { summary: "Put a container's files back as they were", load: async () => (await import('./verbs/snapshot/life.ts')).rollback },
}; // prettier-ignore

const snapshotGroup: VerbGroup = {
  name: 'skiff container snapshot',
  title: "Manage snapshots of a container's files",
  table: snapshotVerbs,
  missing: [],
};

export const groups: Readonly<Record<string, VerbGroup>> = {
  container: { name: 'skiff container', title: 'Manage containers', table: containerVerbs, missing: [], groups: { snapshot: snapshotGroup } },
  context: { name: 'skiff context', title: 'Manage contexts', table: contextVerbs, missing: [] },
  image: { name: 'skiff image', title: 'Manage images', table: imageVerbs, missing: ['build'] },
  machine: {
    name: 'skiff machine',
    title: 'Manage machines: the Linux computers that containers run in',
    table: machineVerbs,
    missing: [],
  },
  manifest: {
    name: 'skiff manifest',
    title: 'Look at manifests of images in registries',
    table: manifestVerbs,
    missing: ['annotate', 'create', 'push', 'rm'],
  },
  network: { name: 'skiff network', title: 'Manage networks', table: networkVerbs, missing: [] },
  system: { name: 'skiff system', title: 'Manage the engine', table: systemVerbs, missing: ['dial-stdio'] },
  volume: { name: 'skiff volume', title: 'Manage volumes', table: volumeVerbs, missing: ['update'] },
}; // prettier-ignore

export const rootGroup: VerbGroup = {
  name: 'skiff',
  title: 'Run containers on this computer',
  table: { ...commonVerbs, ...otherVerbs },
  missing: [
    'build', 'buildx', 'builder', 'checkpoint', 'compose', 'config', 'node', 'plugin', 'secret', 'service', 'stack', 'swarm',
    'trust',
  ],
}; // prettier-ignore

export function groupNamed(name: string | undefined): VerbGroup | undefined {
  return name !== undefined && Object.hasOwn(groups, name) ? groups[name] : undefined;
}

/** `snapshot` of `skiff container snapshot`. */
export function innerGroup({ groups: inner = {} }: VerbGroup, name: string | undefined): VerbGroup | undefined {
  return name !== undefined && Object.hasOwn(inner, name) ? inner[name] : undefined;
}

/** Finds a verb by its name or an alias; `name` is the one that messages say. */
export function verbNamed(table: VerbTable, name: string): { name: string; load: () => Promise<Verb> } | null {
  for (const [own, entry] of Object.entries(table)) {
    if (own === name || entry.aliases?.includes(name)) return { name: own, load: () => entry.load() };
  }
  return null;
}
