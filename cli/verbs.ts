import type { Verb } from './verb.ts';

/** A verb by name: its line in the help, and how its code is loaded when it is wanted. */
interface VerbEntry {
  readonly summary: string;
  load(): Promise<Verb>;
}

export type VerbTable = Readonly<Record<string, VerbEntry>>;

export const verbs: VerbTable = {
  run: { summary: 'Create and run a new container from an image', load: async () => (await import('./verbs/run.ts')).run },
  create: { summary: 'Create a new container', load: async () => (await import('./verbs/run.ts')).create },
  ps: { summary: 'List containers', load: async () => (await import('./verbs/ps.ts')).ps },
  logs: { summary: 'Fetch the logs of a container', load: async () => (await import('./verbs/logs.ts')).logs },
  start: { summary: 'Start one or more stopped containers', load: async () => (await import('./verbs/start.ts')).start },
  stop: { summary: 'Stop one or more running containers', load: async () => (await import('./verbs/lifecycle.ts')).stop },
  restart: { summary: 'Restart one or more containers', load: async () => (await import('./verbs/lifecycle.ts')).restart },
  kill: { summary: 'Kill one or more running containers', load: async () => (await import('./verbs/lifecycle.ts')).kill },
  wait: { summary: 'Block until containers stop, then print their exit codes', load: async () => (await import('./verbs/lifecycle.ts')).wait },
  attach: { summary: 'Attach to a running container', load: async () => (await import('./verbs/attach.ts')).attach },
  rm: { summary: 'Remove one or more containers', load: async () => (await import('./verbs/rm.ts')).rm },
  inspect: { summary: 'Return low-level information on containers and images', load: async () => (await import('./verbs/inspect.ts')).inspect },
  images: { summary: 'List images', load: async () => (await import('./verbs/images.ts')).images },
  load: { summary: 'Load an image from a tar archive or STDIN', load: async () => (await import('./verbs/load.ts')).load },
  version: { summary: 'Show the Skiff version information', load: async () => (await import('./verbs/about.ts')).version },
  info: { summary: 'Display system-wide information', load: async () => (await import('./verbs/about.ts')).info },
}; // prettier-ignore

export const machineVerbs: VerbTable = {
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
  ssh: { summary: 'Log into or run a command in a machine by SSH', load: async () => (await import('./verbs/machine/ssh.ts')).ssh },
}; // prettier-ignore

/** Verbs of docker and docker-machine that are not there yet: a better answer than "unknown". */
export const missingVerbs = [
  'build', 'buildx', 'builder', 'commit', 'compose', 'config', 'container', 'context', 'cp', 'diff', 'events', 'exec', 'export', 'history',
  'image', 'import', 'login', 'logout', 'manifest', 'network', 'node', 'pause', 'plugin', 'port', 'pull', 'push', 'rename', 'rmi', 'save',
  'search', 'secret', 'service', 'stack', 'stats', 'swarm', 'system', 'tag', 'top', 'trust', 'unpause', 'update', 'volume',
]; // prettier-ignore

export const missingMachineVerbs = [
  'active',
  'config',
  'mount',
  'provision',
  'regenerate-certs',
  'scp',
  'upgrade',
  'version',
];
