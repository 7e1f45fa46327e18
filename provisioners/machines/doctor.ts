import { access, constants, statfs } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { unixSocketDialer } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import type { Finding, Machine } from '../machines.ts';
import type { MachinesContext } from './machines-context.ts';

/** What a person would look at first when something does not work; each finding says what to do. Changes nothing. */
export async function examine(context: MachinesContext, machines: readonly Machine[]): Promise<readonly Finding[]> {
  const drivers = [...context.drivers.values()].map(async (driver): Promise<Finding> => {
    const why = await driver.availability();
    const about = `Driver ${driver.name}`;
    if (why === null) return { about, machine: null, verdict: 'good', says: 'can be used' };
    // One that is missing is no fault where another can make machines.
    return { about, machine: null, verdict: 'note', says: why };
  });
  const all = await Promise.all([...drivers, freeSpace(context), sshProgram(), ...machines.map(examineMachine)]);
  return all;
}

const GiB = 1024 ** 3;

async function freeSpace(context: MachinesContext): Promise<Finding> {
  const about = 'Disk';
  for (let folder = context.home; ; folder = dirname(folder)) {
    try {
      const { bavail, bsize } = await statfs(folder);
      const freeGiB = (bavail * bsize) / GiB;
      const says = `${freeGiB.toFixed(1)} GiB free for ${context.home}`;
      return freeGiB >= 5
        ? { about, machine: null, verdict: 'good', says }
        : { about, machine: null, verdict: 'bad', says: `${says}: machines keep images and volumes there; make room` };
    } catch (error) {
      if (dirname(folder) === folder) throw error;
    }
  }
}

async function sshProgram(): Promise<Finding> {
  const about = 'OpenSSH';
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      await access(join(folder, process.platform === 'win32' ? 'ssh.exe' : 'ssh'), constants.X_OK);
      return { about, machine: null, verdict: 'good', says: 'is there' };
    } catch {
      // Not in this folder.
    }
  }
  return {
    about,
    machine: null,
    verdict: 'note',
    says: 'is not installed: your SSH configuration is not read, and `skiff machine scp` does not work',
  };
}

async function examineMachine(machine: Machine): Promise<Finding> {
  return { about: `Machine ${machine.name}`, machine: machine.name, ...(await verdictOn(machine)) };
}

async function verdictOn(machine: Machine): Promise<Pick<Finding, 'verdict' | 'says'>> {
  if (machine.error !== null) return { verdict: 'bad', says: machine.error };
  if (machine.state !== 'running') return { verdict: 'note', says: `is ${machine.state}` };
  const { agent } = machine;
  if (agent === null)
    return { verdict: 'bad', says: `runs without its host agent: skiff machine start ${machine.name}` };
  if (agent.connection !== 'ready')
    return {
      verdict: 'bad',
      says: `its connection is ${agent.connection}: ${agent.error ?? 'it is being made'}`,
    };
  const closed = agent.forwards.find(({ error }) => error !== null);
  if (closed !== undefined) return { verdict: 'bad', says: closed.error ?? `port ${closed.hostPort} is not open` };
  using engine = new EngineClient(unixSocketDialer(machine.dockerSocket), { timeoutMs: 5_000 });
  try {
    await engine.ping({});
    return { verdict: 'good', says: 'its engine answers' };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      verdict: 'bad',
      says: `its engine does not answer (${why}): look at skiff machine logs ${machine.name}`,
    };
  }
}
