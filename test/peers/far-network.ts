import { execFileSync } from 'node:child_process';

/**
 * A network of its own behind a pair of virtual interfaces that can be cut as a cable is, so that nobody is told: a network namespace.
 * Needs root.
 */
export interface FarNetwork extends Disposable {
  /** Its file, for nsenter. */
  readonly namespace: string;
  /** The address in it. */
  readonly host: string;
  cutLink(): void;
  mendLink(): void;
  /** This computer is at another address from now on, as in another network: its connections are dead and do not know. */
  moveComputer(): void;
}

/** Of 198.18.0.0/15, which is for such tests; one network a process. */
const third = process.pid % 250;
const far = `198.18.${third}.1`;
const [near, nearLater] = [`198.18.${third}.2`, `198.18.${third}.3`];

export function openFarNetwork(): FarNetwork {
  const namespace = `skiff-far-${process.pid}`;
  const link = `skfar${process.pid}`;
  const ip = (words: string): unknown => execFileSync('ip', words.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] });
  ip(`netns add ${namespace}`);
  try {
    ip(`link add ${link} type veth peer name eth0 netns ${namespace}`);
    ip(`addr add ${near}/24 dev ${link}`);
    ip(`link set ${link} up`);
    ip(`-n ${namespace} link set lo up`);
    ip(`-n ${namespace} addr add ${far}/24 dev eth0`);
    ip(`-n ${namespace} link set eth0 up`);
  } catch (error) {
    ip(`netns del ${namespace}`);
    throw error;
  }
  return {
    namespace: `/run/netns/${namespace}`,
    host: far,
    cutLink: () => ip(`-n ${namespace} link set eth0 down`),
    mendLink: () => ip(`-n ${namespace} link set eth0 up`),
    moveComputer: () => {
      // In this order: the first address of a network takes the others of it along.
      ip(`addr del ${near}/24 dev ${link}`);
      ip(`addr add ${nearLater}/24 dev ${link}`);
    },
    [Symbol.dispose]() {
      // With its namespace alone it would be gone some time later.
      ip(`link del ${link}`);
      ip(`netns del ${namespace}`);
    },
  };
}
