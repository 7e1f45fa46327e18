import type { ImageId } from '../model/ids.ts';

/** What a container was created with, in our own words. Stored as JSON; `http/containers/` translates from and to Docker's. */
export interface ContainerSpec {
  /** RFC 3339. */
  readonly createdAt: string;
  readonly imageId: ImageId;
  /** As the client named it; shown back. */
  readonly imageName: string;
  readonly process: ProcessSpec;
  readonly hostname: string;
  readonly domainname: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | null;
  readonly stopTimeoutSeconds: number | null;
  readonly network: NetworkSpec;
  readonly mounts: readonly MountSpec[];
  readonly isAutoRemoved: boolean;
  readonly isPrivileged: boolean;
  readonly isRootReadOnly: boolean;
  readonly addedCapabilities: readonly string[];
  readonly droppedCapabilities: readonly string[];
  readonly securityOptions: readonly string[];
  readonly resources: ResourceSpec;
  readonly log: { readonly driver: 'json-file' | 'none'; readonly options: Readonly<Record<string, string>> };
  readonly shmSizeBytes: number;
}

export interface ProcessSpec {
  /** As given or taken from the image; the command line is entrypoint followed by command. */
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `KEY=value`: the image's, overridden by the client's. */
  readonly env: readonly string[];
  /** Absolute; `/` when neither client nor image names one. */
  readonly workingDir: string;
  /** `name`, `uid`, `name:group`, …; empty is root. */
  readonly user: string;
  readonly hasTerminal: boolean;
  readonly consoleSize: { readonly rows: number; readonly columns: number } | null;
  /** Standard input stays open for clients that attach. */
  readonly isStdinOpen: boolean;
  /** The end of the first client's input is the end of the container's. */
  readonly isStdinOnce: boolean;
  readonly attached: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
}

export type NetworkMode = 'bridge' | 'host' | 'none';

export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface NetworkSpec {
  readonly mode: NetworkMode;
  /** Ports that image or client declare. */
  readonly exposed: readonly PortSpec[];
  readonly published: readonly PublishedPortSpec[];
  readonly publishesAll: boolean;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `name:address`. */
  readonly extraHosts: readonly string[];
}

export interface PortSpec {
  readonly port: number;
  readonly protocol: Protocol;
}

export interface PublishedPortSpec extends PortSpec {
  /** Null: every address, IPv4 and IPv6. */
  readonly hostAddress: string | null;
  /** First and last port of the host to choose from; null: any free one. */
  readonly hostPorts: { readonly first: number; readonly last: number } | null;
}

export type MountSpec =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly isReadOnly: boolean;
      /** `rprivate` unless given. */
      readonly propagation: string;
      /** As the client wrote it: `ro,rslave`. */
      readonly mode: string;
    }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly options: string };

/** Null: not limited. */
export interface ResourceSpec {
  readonly memoryBytes: number | null;
  /** Memory and swap together; -1: unlimited swap. */
  readonly memorySwapBytes: number | null;
  readonly nanoCpus: number | null;
  readonly cpuShares: number | null;
  readonly cpuPeriodUs: number | null;
  readonly cpuQuotaUs: number | null;
  readonly cpusetCpus: string | null;
  readonly pidsLimit: number | null;
}
