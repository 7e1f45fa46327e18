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

/** The beginning of addresses of 198.18.0.0/15, which is for such tests, that no other network of this computer has. */
function freePrefix(): string {
  const taken = execFileSync('ip', ['-4', '-oneline', 'addr'], { encoding: 'utf8', timeout: 10_000 });
  for (let third = 0; third < 250; third++) {
    const prefix = `198.18.${(process.pid + third) % 250}.`;
    if (!taken.includes(` ${prefix}`)) return prefix;
  }
  throw new Error('there are 250 networks of tests here already');
}

export function openFarNetwork(): FarNetwork {
  const namespace = `skiff-far-${process.pid}`;
  const link = `skfar${process.pid}`;
  const prefix = freePrefix();
  const [far, near, nearLater] = [`${prefix}1`, `${prefix}2`, `${prefix}3`];
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
