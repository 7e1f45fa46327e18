import type { HostFacts, SeccompCondition, SeccompProfile } from './container-settings.ts';
import type { SpecSeccomp } from './oci.ts';

/** Go's words for a platform, and those of libseccomp. */
const platforms = {
  x64: { go: 'amd64', native: 'SCMP_ARCH_X86_64' },
  arm64: { go: 'arm64', native: 'SCMP_ARCH_AARCH64' },
} as const;

/** What of a profile holds for a container with these capabilities on this computer. */
export function resolveSeccomp(
  profile: SeccompProfile,
  capabilities: readonly string[],
  host: Pick<HostFacts, 'arch' | 'kernel'>,
): SpecSeccomp {
  const platform = platforms[host.arch];
  const meets = (condition: SeccompCondition): { any: boolean; all: boolean } => {
    const answers = [
      condition.caps === undefined || condition.caps.length === 0
        ? null
        : condition.caps.some((cap) => capabilities.includes(cap)),
      condition.arches === undefined || condition.arches.length === 0 ? null : condition.arches.includes(platform.go),
      condition.minKernel === undefined ? null : isAtLeast(host.kernel, condition.minKernel),
    ].filter((answer) => answer !== null);
    return { any: answers.includes(true), all: !answers.includes(false) };
  };
  const rules = profile.syscalls.filter(
    ({ includes = {}, excludes = {} }) => meets(includes).all && !meets(excludes).any,
  );
  const mapped = profile.archMap?.find(({ architecture }) => architecture === platform.native);
  const architectures = profile.architectures ?? [platform.native, ...(mapped?.subArchitectures ?? [])];
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures,
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    syscalls: rules.map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args === undefined || args === null || args.length === 0 ? {} : { args }),
    })),
  };
}

function isAtLeast([major, minor]: readonly [number, number], wanted: string): boolean {
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
