/** Registries on the wire (source: Engine API 1.55, tags Image, Distribution and System). */

/** What a client sends along for one registry, and what `POST /auth` checks. Empty fields are not there. */
export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  /** Instead of a password: what a login gave. */
  readonly identitytoken?: string;
  /** A bearer token that is sent as it is. */
  readonly registrytoken?: string;
  /** `https://index.docker.io/v1/` for Docker Hub, else host and port. */
  readonly serveraddress?: string;
}

export interface AuthAnswer {
  readonly Status: string;
  /** To be kept instead of the password; empty: there is none. */
  readonly IdentityToken?: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface DistributionInspect {
  readonly Descriptor: Descriptor;
  readonly Platforms: readonly {
    readonly architecture: string;
    readonly os: string;
    readonly variant?: string;
    readonly 'os.version'?: string;
  }[];
}

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly star_count: number;
  readonly is_official: boolean;
}

/** The header that carries RegistryAuth: base64 of its JSON, in the alphabet for URLs. */
export const registryAuthHeader = 'X-Registry-Auth';
