import type { HostFacts } from './host-facts.ts';
import type { HostPlace } from './host-place.ts';

/** What is worth knowing of a host, for people: title to text. What stands in the way there says what to do about it. */
export function hostNotes(facts: HostFacts, place: HostPlace): Readonly<Record<string, string>> {
  return {
    system: facts.title,
    kernel: facts.kernel,
    'started by': startedBy(facts, place),
    ...(facts.hasDockerd ? { docker: dockerNote } : {}),
    ...(facts.firewall === null ? {} : { firewall: firewallNotes[facts.firewall] }),
    ...(facts.isSelinuxEnforced
      ? { selinux: 'enforced; containers run unconfined by it, as with a docker daemon without --selinux-enabled' }
      : {}),
    ...(facts.forwardsPorts
      ? {}
      : { 'published ports': 'not at localhost: its SSH server needs "AllowTcpForwarding local" in sshd_config' }),
  };
}

function startedBy(facts: HostFacts, place: HostPlace): string {
  if (place.start === 'detached') return 'skiff';
  return facts.init === 'none'
    ? 'skiff: the host has neither systemd nor OpenRC, so the engine is not there after a boot until `skiff machine start`'
    : facts.init;
}

/** Where it drops what is forwarded, our bridges are let through by DOCKER-USER (engine/networks), but for rules of iptables-legacy, which the engine does not see. */
const dockerNote =
  'a docker daemon runs there too; it was left alone, but for rules in its chain DOCKER-USER that let containers of Skiff through. Where it uses iptables-legacy: iptables-legacy -I DOCKER-USER -i BRIDGE -j ACCEPT, and the same with -o (docker network inspect tells BRIDGE)';

const firewallNotes = {
  firewalld:
    'firewalld; where containers cannot reach the outside: firewall-cmd --permanent --zone=trusted --add-interface=BRIDGE (docker network inspect tells it), then --reload',
  ufw: 'ufw; where containers cannot reach the outside: ufw route allow in on BRIDGE (docker network inspect tells it)',
};
