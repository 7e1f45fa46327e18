import type { ContainerSpec } from './spec.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The variables of a container's process, in docker's order: what the engine knows first; what image and client say takes
 * its place there, or comes after it; a name without a value takes one away. HOME comes last, when nobody has said it.
 * `linked`: those that links bring.
 */
export function environment(
  spec: Pick<ContainerSpec, 'process' | 'hostname'>,
  home: string,
  linked: readonly string[] = [],
): readonly string[] {
  const { hasTerminal, env } = spec.process;
  const known = [`PATH=${defaultPath}`, `HOSTNAME=${spec.hostname}`, ...(hasTerminal ? ['TERM=xterm'] : []), ...linked];
  const variables = new Map(known.map((variable) => [nameOf(variable), variable]));
  for (const variable of env) {
    if (variable.includes('=')) variables.set(nameOf(variable), variable);
    else variables.delete(variable);
  }
  if (!variables.has('HOME')) variables.set('HOME', `HOME=${home}`);
  return [...variables.values()];
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0] ?? '';
}
