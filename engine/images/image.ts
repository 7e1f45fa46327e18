import type { ChainId, DiffId, ImageId } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import type { Reference } from './reference.ts';

/** An image of this store, in the engine's own words. */
export interface Image {
  /** Digest of the config: it names the image everywhere (list, inspect, events, a container's `Image`). */
  readonly id: ImageId;
  readonly config: ImageConfig;
  /** Its names, in the order of the alphabet. Empty: the image is dangling. */
  readonly references: readonly Reference[];
  /** What it is called by digest (`name@sha256:…`): what was pulled or pushed. In the order of the alphabet. */
  readonly digests: readonly Reference[];
  /** The image that it was committed or built from; null when there is none in this store. */
  readonly parent: ImageId | null;
  /** Null for an image without layers. */
  readonly topLayer: ChainId | null;
  /** Sum of the files of all its layers, as docker counts. */
  readonly sizeBytes: number;
  /** When somebody last gave it one of its names here; null when it brought all of them along. */
  readonly lastTaggedAt: Instant | null;
}

/** What an image says of itself (source: OCI image spec, "config.md", and docker's additions). Parsed by `image-config.ts` alone. */
export interface ImageConfig {
  readonly architecture: string;
  /** Empty when there is none. */
  readonly variant: string;
  readonly os: string;
  /** Null when the image does not say. */
  readonly createdAt: Instant | null;
  readonly author: string;
  readonly comment: string;
  /** Version of the engine that made it; empty when it does not say. */
  readonly dockerVersion: string;
  /** Bottom first. */
  readonly diffIds: readonly DiffId[];
  readonly history: readonly HistoryEntry[];
  readonly run: RunConfig;
}

/** How a container of this image is run when its creator does not say otherwise. */
export interface RunConfig {
  readonly user: string;
  /** `KEY=value`. */
  readonly env: readonly string[];
  /** Null: not set, which docker shows apart from an empty list. */
  readonly entrypoint: readonly string[] | null;
  readonly command: readonly string[] | null;
  /** Empty: `/`. */
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly ExposedPort[];
  /** Absolute paths. */
  readonly volumes: readonly string[];
  /** As written (`SIGTERM`, `15`); null: the engine's default. */
  readonly stopSignal: string | null;
  /** Null: not set. Durations in nanoseconds; empty and zero: docker's defaults. */
  readonly healthcheck: ImageHealthcheck | null;
  /** Shell form of later build steps, and of a health check; null when not set. */
  readonly shell: readonly string[] | null;
  /** Instructions for builds that begin with this image; null when not set. */
  readonly onBuild: readonly string[] | null;
}

export interface ImageHealthcheck {
  readonly test: readonly string[];
  readonly intervalNs: number;
  readonly timeoutNs: number;
  readonly startPeriodNs: number;
  readonly startIntervalNs: number;
  readonly retries: number;
}

export interface ExposedPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
}

export interface HistoryEntry {
  readonly createdAt: Instant | null;
  readonly createdBy: string;
  readonly comment: string;
  /** True for a step that changed the config alone: it stands for no layer. */
  readonly isEmptyLayer: boolean;
}
