/**
 * The desktop's core: everything behind the contract, in plain Node, without a window. Electron and the browser mode each
 * serve one of these over their links; all pages share it.
 */
import type { RegistryAuth } from '../../api/registries.ts';
import type { EngineClient } from '../../client/engine-client.ts';
import type { Machine as MachineDocument, Machines } from '../../provisioners/machines.ts';
import type { AppInfo } from '../contract/app.ts';
import type { DesktopServices } from '../contract/contract.ts';
import type { Forward } from '../contract/ports.ts';
import { systemClock, type Clock } from './clock.ts';
import { ContainerActions } from './containers/container-actions.ts';
import { ContainerList } from './containers/container-list.ts';
import { HelloImages, type HelloImage } from './containers/hello-image.ts';
import { Engines } from './engines/engines.ts';
import { ImageActions } from './images/image-actions.ts';
import { ImageList } from './images/image-list.ts';
import { Pulls } from './images/pulls.ts';
import { LiveList } from './lists/live-list.ts';
import { followLog } from './logs/follow-log.ts';
import { MachineList } from './machines/machine-list.ts';
import { MachineOperations } from './machines/machine-operations.ts';
import { machineServices } from './machines/machine-services.ts';
import { forwardsOf } from './ports/forwards.ts';
import { Tasks } from './tasks.ts';

export interface CoreOptions {
  readonly info: AppInfo;
  readonly machines: Machines;
  /** A client of the engine in that machine. The core disposes it. */
  readonly dial: (machine: MachineDocument) => EngineClient;
  readonly helloImage: HelloImage;
  /** What this person sends along to a registry (`docker.io`, `ghcr.io`); null when there is no login. Default: none. */
  readonly login?: (registry: string) => Promise<RegistryAuth | null>;
  readonly clock?: Clock;
  /** Told of faults that no caller hears of; for the log. */
  readonly report: (fault: Error) => void;
}

/** The core, opened. Disposing it ends its lines and operations; machines and containers go on running. */
export interface Core extends AsyncDisposable {
  readonly services: DesktopServices;
  readonly lists: CoreLists;
  readonly operations: MachineOperations;
}

/** What shells draw without a page: the tray. */
interface CoreLists {
  readonly machines: MachineList;
  readonly connections: Engines['connections'];
  readonly containers: ContainerList['list'];
  readonly tasks: Tasks['list'];
}

export function openCore(options: CoreOptions): Core {
  const { info, machines, dial, helloImage, clock = systemClock, report } = options;
  const tasks = new Tasks(clock);
  const list = new MachineList({ machines, clock, report });
  const operations = new MachineOperations({ machines, list, tasks, clock });
  const forwardsIn = (machine: string) => list.document(machine)?.agent?.forwards ?? [];
  // Engines and containers need each other: events go one way, looks the other.
  const containers: ContainerList = new ContainerList({
    client: (machine) => engines.client(machine),
    forwards: forwardsIn,
    report,
  });
  const images: ImageList = new ImageList({ client: (machine) => engines.client(machine), report });
  const engines: Engines = new Engines({
    machines: list,
    dial,
    clock,
    listener: {
      list: (machine, summaries) => {
        containers.reset(machine, summaries);
        images.read(machine);
      },
      event: (machine, event) => {
        containers.event(machine, event);
        images.event(machine, event);
      },
      off: (machine) => {
        containers.forget(machine);
        images.forget(machine);
      },
    },
  });
  const client = (machine: string): EngineClient => engines.client(machine);
  const hello = new HelloImages(helloImage, tasks);
  const pulls = new Pulls({ client, tasks, clock, login: options.login ?? (async () => null), report });
  const actions = new ContainerActions({ client, containers, hello });
  const forwards = new LiveList<Forward, string>({ keyOf: ({ id }) => id, keyText: (id) => id });
  const follow = followForwards({ list, containers, forwards });
  const initial = list.read();
  // Whoever watches the machines is told; without anybody it is nobody's error.
  initial.catch(() => undefined);

  return {
    services: {
      app: { info: async () => info, tasks: (_, signal) => tasks.list.watch(signal) },
      machines: machineServices({ machines, operations, list, initial, client }),
      engine: {
        watch: (_, signal) => engines.connections.watch(signal),
        reconnect: async ({ machine }) => {
          engines.retry(machine);
          return {};
        },
      },
      containers: containerServices(containers, actions),
      images: imageServices(images, pulls, new ImageActions(client)),
      logs: {
        open: (input, signal) =>
          followLog({ client, containers, clock, ready: (...at) => engines.ready(...at) }, input, signal),
      },
      ports: { watch: (_, signal) => forwards.watch(signal) },
    },
    lists: { machines: list, connections: engines.connections, containers: containers.list, tasks: tasks.list },
    operations,
    [Symbol.asyncDispose]: async () => {
      await operations[Symbol.asyncDispose]();
      await pulls[Symbol.asyncDispose]();
      follow[Symbol.dispose]();
      list[Symbol.dispose]();
      await engines[Symbol.asyncDispose]();
    },
  };
}

/** Keeps the forwards, and what containers say of theirs, as the machines' host agents have them. */
function followForwards(lists: {
  readonly list: MachineList;
  readonly containers: ContainerList;
  readonly forwards: LiveList<Forward, string>;
}): Disposable {
  const { list, containers, forwards } = lists;
  const renew = (): void => {
    const nameOf = (machine: string, id: string): string | null => containers.list.get({ machine, id })?.name ?? null;
    forwards.replace(forwardsOf(list.documents(), nameOf));
  };
  const stack = new DisposableStack();
  stack.use(
    list.onChange(() => {
      for (const { name } of list.documents()) containers.reach(name);
      renew();
    }),
  );
  stack.use(containers.list.onChange(renew));
  return stack;
}

function containerServices(containers: ContainerList, actions: ContainerActions): DesktopServices['containers'] {
  const done = (work: Promise<void>): Promise<Record<string, never>> => work.then(() => ({}));
  return {
    watch: (_, signal) => containers.list.watch(signal),
    inspect: (one) => actions.inspect(one),
    start: (one) => done(actions.start(one)),
    stop: (one) => done(actions.stop(one)),
    restart: (one) => done(actions.restart(one)),
    kill: (one) => done(actions.kill(one)),
    remove: (one) => done(actions.remove(one)),
    run: (request) => actions.run(request),
    runHello: (request) => actions.runHello(request),
  };
}

function imageServices(list: ImageList, pulls: Pulls, actions: ImageActions): DesktopServices['images'] {
  const done = (work: Promise<void>): Promise<Record<string, never>> => work.then(() => ({}));
  return {
    watch: (_, signal) => list.list.watch(signal),
    pulls: (_, signal) => pulls.list.watch(signal),
    pull: async ({ machine, image }) => ({ id: pulls.start(machine, image) }),
    cancelPull: async ({ id }) => {
      pulls.cancel(id);
      return {};
    },
    remove: (one) => done(actions.remove(one)),
    tag: (one) => done(actions.tag(one)),
    layers: (one) => actions.layers(one),
    files: (request) => actions.files(request),
    flatten: (one) => actions.flatten(one),
  };
}
