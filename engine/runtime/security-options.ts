/** `--security-opt`, word by word (source: moby's parseSecurityOpt). */
import { invalid } from '../model/errors.ts';
import type { SeccompProfile, SecuritySettings } from './container-settings.ts';

/** Throws `invalid` for an option that is none, or that says what cannot be. */
export function withSecurityOption(settings: SecuritySettings, option: string): SecuritySettings {
  if (option === 'no-new-privileges') return { ...settings, mayGainPrivileges: false };
  if (option === 'disable') return settings;
  // `=`, or the `:` of old clients.
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  if (at === -1) throw invalid(`invalid --security-opt 1: ${JSON.stringify(option)}`);
  const value = option.slice(at + 1);
  switch (option.slice(0, at)) {
    case 'no-new-privileges':
      return { ...settings, mayGainPrivileges: !claim(option, value) };
    case 'writable-cgroups':
      return { ...settings, hasWritableCgroups: claim(option, value) };
    case 'seccomp':
      return { ...settings, seccomp: seccompOf(value) };
    case 'apparmor':
      return { ...settings, apparmorProfile: value };
    case 'label':
      // Labels are SELinux's; where it is not on, dockerd passes over them too.
      return settings;
    default:
      throw invalid(`invalid --security-opt 2: ${JSON.stringify(option)}`);
  }
}

/** Source: Go's strconv.ParseBool. */
function claim(option: string, value: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw invalid(`invalid --security-opt 2: ${JSON.stringify(option)}`);
}

function seccompOf(value: string): SecuritySettings['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === '' || value === 'builtin') return 'default';
  const profile = parseProfile(value);
  return profile === null ? 'unconfined' : { profile };
}

/** Null for a profile that says nothing at all: runc takes it for none. */
function parseProfile(text: string): SeccompProfile | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw undecodable(error instanceof Error ? error.message : String(error), error);
  }
  if (!isObject(parsed)) throw undecodable('it is no object');
  const { defaultAction = '', syscalls = [] } = parsed;
  if (!Array.isArray(syscalls) || !syscalls.every(isObject)) throw undecodable('syscalls is no list of rules');
  if (defaultAction === '' && syscalls.length === 0) return null;
  if (typeof defaultAction !== 'string' || !actions.has(defaultAction))
    throw undecodable(`invalid defaultAction ${JSON.stringify(defaultAction)}`);
  if (isFilled(parsed['architectures']) && isFilled(parsed['archMap']))
    throw undecodable("both 'architectures' and 'archMap' are specified in the seccomp profile, use either");
  return { ...(parsed as unknown as SeccompProfile), syscalls: syscalls.map(readRule) };
}

/** Source: libseccomp, seccomp_init(3). */
const actions = new Set(
  'KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG NOTIFY'.split(' ').map((name) => `SCMP_ACT_${name}`),
);

function readRule(rule: Record<string, unknown>): SeccompProfile['syscalls'][number] {
  const { name, action } = rule;
  const names = typeof name === 'string' && name !== '' ? [name] : (rule['names'] ?? []);
  if (!Array.isArray(names) || !names.every((item) => typeof item === 'string'))
    throw undecodable('names of a rule must be strings');
  if (isFilled(rule['names']) && typeof name === 'string' && name !== '')
    throw undecodable("both 'name' and 'names' are specified in the seccomp profile, use either");
  if (typeof action !== 'string' || !actions.has(action))
    throw undecodable(`invalid action ${JSON.stringify(action)} for ${names.join(', ')}`);
  return { ...(rule as unknown as SeccompProfile['syscalls'][number]), names };
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function undecodable(why: string, cause?: unknown): Error {
  return invalid(`Decoding seccomp profile failed: ${why}`, { cause });
}
