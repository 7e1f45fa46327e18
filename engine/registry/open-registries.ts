/** The registries that an engine talks to. Opening it connects to nobody. */
import type { Reference } from '../images/reference.ts';
import { Contacts } from './contacts.ts';
import { endpointsOf } from './endpoints.ts';
import { ManifestMemory } from './manifest-memory.ts';
import type { Patience } from './patience.ts';
import type { Credentials, Registries, Repository } from './registry.ts';
import type { RegistrySettings } from './registry-settings.ts';
import { RemoteRepository } from './remote-repository.ts';
import { Session, type SessionParts } from './session.ts';
import type { Purpose } from './repository-errors.ts';
import { search } from './search.ts';
import { Tokens } from './tokens.ts';
import { Wire } from './wire.ts';
import { WireError } from './wire-errors.ts';

export interface RegistriesParts {
  readonly settings: RegistrySettings;
  /** `skiff/1.2.3` */
  readonly userAgent: string;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
  /** Before the second try. */
  readonly firstWaitMs?: number;
}

export type OpenRegistries = Registries & Disposable;

export function openRegistries(parts: RegistriesParts): OpenRegistries {
  const { settings, userAgent, nowMs, random, report, firstWaitMs = 250 } = parts;
  const wire = new Wire(settings);
  const contacts = new Contacts(nowMs);
  const memory = new ManifestMemory();
  const session: SessionParts = { wire, contacts, tokens: new Tokens({ wire, settings, nowMs }), settings, userAgent };
  const patience: Patience = { attempts: settings.attempts, firstWaitMs, random };
  return {
    repository(reference: Reference, credentials: Credentials, purpose: Purpose): Repository {
      const sessions = endpointsOf(reference, purpose, settings).map(
        (endpoint) => new Session(endpoint, credentials, session),
      );
      const onMirrorFailed = ({ mirror, error }: { readonly mirror: string; readonly error: unknown }): void =>
        report('a mirror was passed over', { mirror, error });
      return new RemoteRepository({ reference, purpose, sessions, contacts, memory, patience, onMirrorFailed });
    },
    async login(domain, credentials, { signal }) {
      let failure: unknown = null;
      for (const endpoint of endpointsOf({ domain }, 'push', settings)) {
        try {
          return await new Session(endpoint, credentials, session).login(signal);
        } catch (error) {
          signal.throwIfAborted();
          failure = error;
          if (!(error instanceof WireError)) break;
        }
      }
      throw failure;
    },
    search: (request, { signal }) => search(request, session, signal),
    [Symbol.dispose]: () => wire[Symbol.dispose](),
  };
}
