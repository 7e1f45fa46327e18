/**
 * Manifests that registries sent lately. Registries count the manifests that they send (Docker Hub's limit of pulls), not the
 * questions for their digests: who pulls a name again asks for the digest first, as dockerd does, and sends for what is new.
 */
import type { Digest } from '../model/ids.ts';
import type { RemoteManifest } from './registry.ts';

const mostBytes = 2 * 1024 * 1024;

export class ManifestMemory {
  /** Oldest first. */
  readonly #manifests = new Map<Digest, RemoteManifest>();
  /** From names (`host/path:tag`, `host/path@digest`) to what they stood on. */
  readonly #standing = new Map<string, Digest>();
  #bytes = 0;

  keep(name: string, manifest: RemoteManifest): void {
    if (manifest.sizeBytes > mostBytes / 4) return;
    this.#forget(manifest.digest);
    this.#manifests.set(manifest.digest, manifest);
    this.#standing.set(name, manifest.digest);
    this.#bytes += manifest.sizeBytes;
    for (const oldest of this.#manifests.keys()) {
      if (this.#bytes <= mostBytes) return;
      this.#forget(oldest);
    }
  }

  /** Whether it is worth a question for the digest that this name stands on now. */
  hasMet(name: string): boolean {
    return this.#standing.has(name);
  }

  find(digest: Digest): RemoteManifest | null {
    return this.#manifests.get(digest) ?? null;
  }

  #forget(digest: Digest): void {
    this.#bytes -= this.#manifests.get(digest)?.sizeBytes ?? 0;
    this.#manifests.delete(digest);
    for (const [name, standing] of this.#standing) if (standing === digest) this.#standing.delete(name);
  }
}
