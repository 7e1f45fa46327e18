/** What can be done to containers, in the engine's words and with its errors. Doing what is already so succeeds. */
import type { CreateContainerBody, PortBinding } from '../../../api/containers.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineError } from '../../../client/errors.ts';
import type { z } from '../../contract/zod.ts';
import type { ContainerDetails, runRequest } from '../../contract/containers.ts';
import { desktopError } from '../failures.ts';
import type { ContainerList } from './container-list.ts';
import { detailsOf, fromInspect } from './container-view.ts';
import type { HelloImages } from './hello-image.ts';

export interface ContainerActionsOptions {
  readonly client: (machine: string) => EngineClient;
  readonly containers: ContainerList;
  readonly hello: HelloImages;
}

export interface One {
  readonly machine: string;
  readonly id: string;
}

type RunRequest = z.output<typeof runRequest>;

export interface Started {
  readonly id: string;
  readonly name: string;
  readonly warnings: string[];
}

/**
 * Calls here take no signal of their caller's: a page that is closed in mid-click does not undo the click. Each has the
 * client's own timeout.
 */
export class ContainerActions {
  readonly #options: ContainerActionsOptions;

  constructor(options: ContainerActionsOptions) {
    this.#options = options;
  }

  async inspect({ machine, id }: One): Promise<ContainerDetails> {
    const inspect = await this.#ask(machine, (client) => client.containers.inspect(id));
    return detailsOf(this.#options.containers.take(fromInspect(machine, inspect)), inspect);
  }

  async start({ machine, id }: One): Promise<void> {
    await this.#ask(machine, (client) => client.containers.start(id));
  }

  async stop({ machine, id, graceSeconds }: One & { readonly graceSeconds?: number | undefined }): Promise<void> {
    await this.#ask(machine, (client) => client.containers.stop(id, graceOf(graceSeconds)));
  }

  async restart({ machine, id, graceSeconds }: One & { readonly graceSeconds?: number | undefined }): Promise<void> {
    await this.#ask(machine, (client) => client.containers.restart(id, graceOf(graceSeconds)));
  }

  async kill({ machine, id, signal }: One & { readonly signal: string }): Promise<void> {
    await this.#ask(machine, (client) => client.containers.kill(id, signal));
  }

  async remove({
    machine,
    id,
    force,
    volumes,
  }: One & { readonly force: boolean; readonly volumes: boolean }): Promise<void> {
    await this.#ask(machine, (client) => client.containers.remove(id, { force, volumes }));
  }

  run(request: RunRequest): Promise<Started> {
    return this.#ask(request.machine, (client) => this.#run(client, bodyOf(request), request.name));
  }

  runHello({ machine }: { readonly machine: string }): Promise<Started> {
    return this.#ask(machine, async (client) => {
      const image = await this.#options.hello.ensure(machine, client);
      return this.#run(client, { Image: image });
    });
  }

  async #run(client: EngineClient, body: CreateContainerBody, name?: string): Promise<Started> {
    const { Id, Warnings } = await client.containers.create(body, name === undefined ? {} : { name });
    try {
      await client.containers.start(Id);
    } catch (error) {
      // Half-made, and nobody asked for a stopped container. Where even this fails the engine is away, and says so itself.
      await client.containers.remove(Id, { force: true }).catch(() => undefined);
      throw error;
    }
    const inspect = await client.containers.inspect(Id).catch((error: unknown) => {
      // It ran, ended and was removed (`removeWhenDone`) before we could look.
      if (error instanceof EngineError && error.statusCode === 404) return null;
      throw error;
    });
    return { id: Id, name: inspect?.Name.replace(/^\//, '') ?? name ?? '', warnings: [...Warnings] };
  }

  async #ask<T>(machine: string, work: (client: EngineClient) => Promise<T>): Promise<T> {
    try {
      return await work(this.#options.client(machine));
    } catch (error) {
      throw desktopError(error);
    }
  }
}

function graceOf(graceSeconds: number | undefined): { readonly timeoutSeconds?: number } {
  return graceSeconds === undefined ? {} : { timeoutSeconds: graceSeconds };
}

function bodyOf(request: RunRequest): CreateContainerBody {
  const { image, command, env, ports, isTty, removeWhenDone } = request;
  const bindings: Record<string, PortBinding[]> = {};
  for (const { containerPort, protocol, hostPort } of ports) {
    // On the machine any address will do; only the host agent decides where this computer listens.
    (bindings[`${containerPort}/${protocol}`] ??= []).push({ HostPort: hostPort === null ? '' : String(hostPort) });
  }
  return {
    Image: image,
    ...(command.length > 0 && { Cmd: command }),
    Env: env.map(({ name, value }) => `${name}=${value}`),
    Tty: isTty,
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    HostConfig: { PortBindings: bindings, AutoRemove: removeWhenDone },
  };
}
