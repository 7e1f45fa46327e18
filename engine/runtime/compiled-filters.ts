/**
 * crun compiles a container's seccomp profile at each start, which takes longer than all the rest of the start. It leaves the
 * result in its state folder, and takes one that is given to it in an annotation. So the filter of the first start is kept
 * and given to those that follow. A filter is one of a profile as resolved for the container, a version of crun and a platform:
 * that is its name.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeSpec, SpecSeccomp } from './oci.ts';

/** Source: crun.1, "annotations". */
const annotation = 'run.oci.seccomp_bpf_data';

export interface FilteredSpec {
  readonly spec: RuntimeSpec;
  /** Where the filter that crun makes at this start is to be kept (`StartRequest.saveFilterTo`); null: there is one, or none is needed. */
  readonly saveFilterTo: string | null;
}

export class CompiledFilters {
  readonly #folder: string;
  readonly #runtimeVersion: string;
  /** Base64 by name: a handful, 10 KB each. */
  readonly #known = new Map<string, string>();

  /** `folder`: of this engine, 0700: what lies there decides what containers may do. */
  constructor(folder: string, runtimeVersion: string) {
    this.#folder = folder;
    this.#runtimeVersion = runtimeVersion;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** The profile itself stays in the spec: a crun that does not know the annotation must not run without a filter. */
  apply(spec: RuntimeSpec): FilteredSpec {
    const { seccomp } = spec.linux;
    // Flags and notifications are no part of the compiled filter.
    if (seccomp === undefined || seccomp.flags !== undefined || notifies(seccomp)) return { spec, saveFilterTo: null };
    const path = join(this.#folder, `${this.#nameOf(seccomp)}.bpf`);
    const filter = this.#known.get(path) ?? readFilter(path);
    if (filter === null) return { spec, saveFilterTo: path };
    this.#known.set(path, filter);
    return { spec: { ...spec, annotations: { ...spec.annotations, [annotation]: filter } }, saveFilterTo: null };
  }

  #nameOf(seccomp: SpecSeccomp): string {
    return createHash('sha256')
      .update(JSON.stringify([this.#runtimeVersion, process.arch, seccomp]))
      .digest('hex');
  }
}

function notifies(seccomp: SpecSeccomp): boolean {
  return seccomp.syscalls.some(({ action }) => action === 'SCMP_ACT_NOTIFY');
}

/** A BPF program is a whole number of 8-byte instructions; anything else was not made by crun. */
function readFilter(path: string): string | null {
  if (!existsSync(path)) return null;
  const bytes = readFileSync(path);
  return bytes.length === 0 || bytes.length % 8 !== 0 ? null : bytes.toString('base64');
}
