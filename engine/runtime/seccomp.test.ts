import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allCapabilities, defaultCapabilities } from './capabilities.ts';
import type { SeccompProfile } from './container-settings.ts';
import type { SpecSeccomp } from './oci.ts';
import { defaultSeccompProfile } from './seccomp-profile.ts';
import { resolveSeccomp } from './seccomp.ts';

const x64 = { arch: 'x64', kernel: [6, 12] } as const;
const resolve = (caps: readonly string[], host: Parameters<typeof resolveSeccomp>[2] = x64): SpecSeccomp =>
  resolveSeccomp(defaultSeccompProfile, caps, host);
const rulesOf = (profile: SpecSeccomp, name: string): SpecSeccomp['syscalls'] =>
  profile.syscalls.filter(({ names }) => names.includes(name));
const allows = (profile: SpecSeccomp, name: string): boolean =>
  rulesOf(profile, name).some(({ action }) => action === 'SCMP_ACT_ALLOW');

describe('the default seccomp profile', () => {
  it('denies what has no rule with EPERM, and clone3 with ENOSYS', () => {
    const profile = resolve(defaultCapabilities);
    expect([profile.defaultAction, profile.defaultErrnoRet]).toEqual(['SCMP_ACT_ERRNO', 1]);
    expect(rulesOf(profile, 'clone3')).toEqual([{ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 }]);
    for (const name of [
      'mount',
      'bpf',
      'io_uring_setup',
      'kexec_load',
      'keyctl',
      'userfaultfd',
      'reboot',
      'open_by_handle_at',
    ])
      expect([name, allows(profile, name)]).toEqual([name, false]);
  });

  it('opens what a capability stands for', () => {
    const profile = resolve([...defaultCapabilities, 'CAP_SYS_ADMIN', 'CAP_SYS_TIME']);
    for (const name of ['mount', 'clone3', 'setns', 'clock_settime'])
      expect([name, allows(profile, name)]).toEqual([name, true]);
    expect(rulesOf(profile, 'clone').some(({ args }) => args !== undefined)).toBe(false);
  });

  it('refuses the sockets of kernel crypto and of the machine’s host', () => {
    const ok = (family: number): boolean =>
      rulesOf(resolve(defaultCapabilities), 'socket').some(({ args }) => {
        const [{ op, value } = { op: '', value: 0 }] = args ?? [];
        return op === 'SCMP_CMP_LT' ? family < value : op === 'SCMP_CMP_GT' ? family > value : family === value;
      });
    expect([1, 2, 10, 16, 17, 38, 39, 40, 41].filter((family) => !ok(family))).toEqual([38, 40]);
  });

  it('is for the platform and the kernel', () => {
    const arm = resolve(defaultCapabilities, { arch: 'arm64', kernel: [4, 4] });
    expect(arm.architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    expect([allows(arm, 'arch_prctl'), allows(arm, 'set_tls'), allows(arm, 'ptrace')]).toEqual([false, true, false]);
    expect([allows(resolve([]), 'arch_prctl'), allows(resolve([]), 'ptrace')]).toEqual([true, true]);
  });

  // Docker's own, when it lies beside the checkout: not part of the product, so it may be absent.
  const published = new URL('../../../shared/api/seccomp-default.json', import.meta.url);
  const isThere = existsSync(published);
  it.skipIf(!isThere)(
    `decides as Docker's does${isThere ? '' : ' (skipped: the published profile is not beside the checkout)'}`,
    () => {
      const reference = JSON.parse(readFileSync(published, 'utf8')) as SeccompProfile;
      const byName = (profile: SpecSeccomp): Map<string, Set<string>> => {
        const rules = new Map<string, Set<string>>();
        for (const { names, action, errnoRet, args } of profile.syscalls)
          for (const name of names) {
            const known = rules.get(name) ?? new Set();
            known.add(
              JSON.stringify([
                action,
                errnoRet,
                args?.map(({ index, value, op, valueTwo }) => [index, value, op, valueTwo ?? 0]),
              ]),
            );
            rules.set(name, known);
          }
        return rules;
      };
      for (const arch of ['x64', 'arm64'] as const)
        for (const caps of [[], defaultCapabilities, ...allCapabilities.map((cap) => [cap])]) {
          const host = { arch, kernel: [6, 12] } as const;
          const ours = byName(resolveSeccomp(defaultSeccompProfile, caps, host));
          const theirs = byName(resolveSeccomp(reference, caps, host));
          expect({ arch, caps, rules: [...ours].sort(byFirst) }).toEqual({
            arch,
            caps,
            rules: [...theirs].sort(byFirst),
          });
        }
    },
  );
});

function byFirst([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}
