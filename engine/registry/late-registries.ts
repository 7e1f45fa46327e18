/** The registries of an engine, opened by the first who needs them: HTTP clients and TLS take memory that an engine without pulls does not spend. */
import type { OpenRegistries } from './open-registries.ts';
import type { RegistrySettings } from './registry-settings.ts';

export interface LateRegistriesParts {
  readonly settings: RegistrySettings;
  readonly userAgent: string;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

export class LateRegistries implements Disposable {
  readonly #parts: LateRegistriesParts;
  #settings: RegistrySettings;
  #current: Promise<OpenRegistries> | null = null;
  /** Of earlier settings: what began with them ends with them. */
  readonly #opened: OpenRegistries[] = [];

  constructor(parts: LateRegistriesParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
  }

  get settings(): RegistrySettings {
    return this.#settings;
  }

  open(): Promise<OpenRegistries> {
    this.#current ??= this.#load();
    return this.#current;
  }

  /** Holds for what begins from now on. */
  configure(settings: RegistrySettings): void {
    this.#settings = settings;
    this.#current = null;
  }

  [Symbol.dispose](): void {
    for (const registries of this.#opened) registries[Symbol.dispose]();
  }

  async #load(): Promise<OpenRegistries> {
    const settings = this.#settings;
    const { openRegistries } = await import('./open-registries.ts');
    const { userAgent, report } = this.#parts;
    const opened = openRegistries({ settings, userAgent, report, nowMs: Date.now, random: Math.random });
    this.#opened.push(opened);
    return opened;
  }
}
