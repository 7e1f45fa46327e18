/** From what the container runs with to what an exec in it runs with (source: OCI runtime spec, "process"). Pure. */
import type { SpecProcess } from '../runtime/oci.ts';
import type { ProcessUser } from '../runtime/user.ts';
import type { ExecSpec } from './exec.ts';

export interface ExecProcessParts {
  /** Of the container's first process, as it was started. */
  readonly base: SpecProcess;
  /** Of the container's spec: what image and client have set, without what the engine adds. */
  readonly containerEnv: readonly string[];
  readonly spec: ExecSpec;
  /** Null: the container's own. */
  readonly user: ProcessUser | null;
  readonly consoleSize: ExecSpec['consoleSize'];
  /** All that there are on this computer: what a privileged exec gets. */
  readonly capabilities: readonly string[];
}

export function execProcess(parts: ExecProcessParts): SpecProcess {
  const { base, spec, user, consoleSize } = parts;
  const { consoleSize: _, ...inherited } = base;
  const bounding = spec.isPrivileged ? parts.capabilities : base.capabilities.bounding;
  const uid = user?.uid ?? base.user.uid;
  const held = uid === 0 ? bounding : [];
  return {
    ...inherited,
    terminal: spec.hasTerminal,
    ...(spec.hasTerminal && consoleSize !== null
      ? { consoleSize: { height: consoleSize.rows, width: consoleSize.columns } }
      : {}),
    ...(user === null ? {} : { user: { uid, gid: user.gid, additionalGids: user.additionalGids } }),
    args: spec.command,
    env: environment(parts),
    cwd: spec.workingDir ?? base.cwd,
    capabilities: { bounding, effective: held, permitted: held },
  };
}

/** The container's variables; TERM and HOME, which the engine adds, are those of this command; then its own. */
function environment({ base, containerEnv, spec, user }: ExecProcessParts): readonly string[] {
  const given = new Set(containerEnv.map(nameOf));
  const inherited = base.env.filter((variable) => given.has('TERM') || nameOf(variable) !== 'TERM');
  // Docker's order: what it knows itself comes first.
  const at = inherited.findIndex((variable) => nameOf(variable) === 'HOSTNAME') + 1;
  const terminal = spec.hasTerminal && !given.has('TERM') ? ['TERM=xterm'] : [];
  const all = [...inherited.slice(0, at), ...terminal, ...inherited.slice(at)];
  const variables = new Map(all.map((variable) => [nameOf(variable), variable]));
  if (user !== null && !given.has('HOME')) variables.set('HOME', `HOME=${user.home}`);
  for (const variable of spec.env) {
    // A name without a value takes the variable away, as for docker.
    if (variable.includes('=')) variables.set(nameOf(variable), variable);
    else variables.delete(variable);
  }
  return [...variables.values()];
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0] ?? '';
}
