import type { MachineErrorCode } from '../machines.ts';
import type { Driver, DriverMachine } from './driver.ts';

/** What a driver's test gives to the suite (driver.suite.ts): a driver, and a machine that does not exist yet. */
export interface DriverUnderTest extends AsyncDisposable {
  readonly driver: Driver;
  readonly machine: DriverMachine;
  /** Runs a command in the running machine as root; what it said. */
  readonly shell: (command: string) => Promise<string>;
  /** Shuts the machine down from inside, for drivers that need it. */
  readonly powerOff: (signal: AbortSignal) => Promise<void>;
  /** Ends the machine behind the driver's back, as a crash does; null for a host that is not ours to end. */
  readonly crash: (() => Promise<void>) | null;
  /** The world that the driver acts on, where the test can make it fail. */
  readonly peer?: PeerUnderTest;
}

/** Each part is one kind of trouble; a peer leaves out what cannot happen to its driver, and the suite skips that with this reason. */
export interface PeerUnderTest {
  /** All that there is of any machine outside of machines' folders, for people; the suite wants nothing left. */
  readonly left?: () => readonly string[] | Promise<readonly string[]>;
  /** The machine is deleted in the peer's own window. */
  readonly deleteElsewhere?: () => void | Promise<void>;
  /** The network breaks, or the tool dies, at this call from now on (0: the next one): before its work was done, or after. */
  readonly cutAt?: (call: number, when: 'before' | 'after') => void | Promise<void>;
  /** Every connection of the moment breaks; new ones are taken. For drivers that hold one through many calls. */
  readonly breakConnections?: () => void;
  /** The next calls are refused for a moment: too many requests, locked by another. The driver gets through all the same. */
  readonly throttle?: () => void | Promise<void>;
  /** What makes a creation fail: bad credentials, a quota, no room. */
  readonly refusals?: readonly PeerRefusal[];
  /** Gives the stopped machine another address; absent: the suite takes a forwarded port of this computer away instead. */
  readonly moveAddress?: () => void | Promise<void>;
  /** All faults end. */
  readonly heal?: () => void | Promise<void>;
}

export interface PeerRefusal {
  /** `a quota that is used up`. */
  readonly title: string;
  /** Makes it so; what it gives back is the machine to create, for what lies in settings. */
  readonly arrange: (machine: DriverMachine) => DriverMachine | undefined | Promise<DriverMachine | undefined>;
  readonly code: MachineErrorCode;
  /** Part of the message: the setting, or what to do. */
  readonly says: string;
}
