/** Calls of the API about networks, and what they answer: for the suites of networks and of endpoints. */
import type { NetworkInspect } from '../../../api/networks.ts';
import { type Answer, call } from '../api.ts';
import type { Boxes } from '../box.ts';
import { docker } from '../docker.ts';

export interface Endpoint {
  readonly IPAMConfig: object | null;
  readonly Aliases: readonly string[] | null;
  readonly DNSNames: readonly string[] | null;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  readonly IPAddress: string;
  readonly Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly IPv6Gateway: string;
}

export interface Shown {
  readonly Id: string;
  readonly State: { readonly Error: string };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: {
    readonly SandboxKey: string;
    readonly IPAddress: string;
    readonly Networks: Readonly<Record<string, Endpoint>>;
  };
}

export function networkCalls(socket: () => string, boxes: () => Boxes) {
  const api = (method: string, path: string, body?: unknown): Promise<Answer> => call(socket(), method, path, body);
  const make = async (name: string, body: object = {}): Promise<string> => {
    const answer = await api('POST', '/networks/create', { Name: name, ...body });
    if (answer.status !== 201) throw new Error(answer.text);
    return (answer.json() as { Id: string }).Id;
  };
  /** Status and message: what a refusal is. */
  const said = async (answer: Promise<Answer>): Promise<string> => {
    const { status, text } = await answer;
    return text === '' ? String(status) : `${status} ${(JSON.parse(text) as { message?: string }).message ?? ''}`;
  };
  const creating = (name: string, body: object = {}): Promise<string> =>
    said(api('POST', '/networks/create', { Name: name, ...body }));
  const creatingIn = (network: string, endpoint: unknown, more: object = {}): Promise<string> =>
    said(
      api('POST', '/containers/create', {
        Image: 'hello',
        HostConfig: { NetworkMode: network },
        NetworkingConfig: { EndpointsConfig: { [network]: endpoint } },
        ...more,
      }),
    );
  const connecting = (network: string, container: string, endpoint: object = {}): Promise<string> =>
    said(api('POST', `/networks/${network}/connect`, { Container: container, EndpointConfig: endpoint }));
  const disconnecting = (network: string, container: string): Promise<string> =>
    said(api('POST', `/networks/${network}/disconnect`, { Container: container }));
  const keep = (name: string, network: string, endpoint: object = {}): Promise<string> =>
    boxes().keep({
      name,
      host: { NetworkMode: network },
      config: { NetworkingConfig: { EndpointsConfig: { [network]: endpoint } } },
    });
  const networksOf = async (container: string): Promise<Readonly<Record<string, Endpoint>>> =>
    (await boxes().inspect<Shown>(container)).NetworkSettings.Networks;
  const inspect = async (network: string): Promise<NetworkInspect> =>
    (await api('GET', `/networks/${network}`)).json() as NetworkInspect;
  const listed = async (filters: Readonly<Record<string, readonly string[]>>): Promise<readonly string[]> => {
    const answer = await api('GET', `/networks?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    return (answer.json() as readonly NetworkInspect[]).map(({ Name }) => Name);
  };
  const inside = async (container: string, script: string): Promise<string> =>
    (await docker(socket(), ['exec', container, 'sh', '-c', script])).stdout.trim();
  return {
    api,
    make,
    said,
    creating,
    creatingIn,
    connecting,
    disconnecting,
    keep,
    networksOf,
    inspect,
    listed,
    inside,
  };
}
