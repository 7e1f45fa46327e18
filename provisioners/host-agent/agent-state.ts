import { z } from 'zod';
import type { HostAgentState } from '../machines.ts';
import { readIfThere, writeFileAtomic } from '../store/atomic-file.ts';
import type { MachinePaths } from '../store/home.ts';
import type { ProcessIdentity } from '../store/process-identity.ts';
import { isAlive } from '../store/process-identity.ts';

/**
 * What a host agent tells about itself, in `agent.json`: written whenever it changes, removed at its end. A file whose
 * process is gone is what a killed agent left, and counts as none.
 */
const stateSchema = z.object({
  version: z.literal(1),
  pid: z.int().positive(),
  startedAt: z.string(),
  connection: z.enum(['connecting', 'ready', 'lost']),
  error: z.string().nullable(),
  forwards: z.array(
    z.object({
      containerId: z.string(),
      containerPort: z.int(),
      protocol: z.enum(['tcp', 'udp', 'sctp']),
      hostIp: z.string(),
      hostPort: z.int(),
      state: z.enum(['open', 'failed']),
      error: z.string().nullable(),
    }),
  ),
});

export interface RunningAgent {
  readonly identity: ProcessIdentity;
  readonly state: HostAgentState;
}

export async function readAgent(paths: Pick<MachinePaths, 'agentState'>): Promise<RunningAgent | null> {
  const text = await readIfThere(paths.agentState);
  if (text === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const told = stateSchema.safeParse(parsed);
  if (!told.success) return null;
  const { pid, startedAt, connection, error, forwards } = told.data;
  const identity = { pid, startedAt };
  return (await isAlive(identity)) ? { identity, state: { connection, error, forwards } } : null;
}

export async function writeAgentState(path: string, agent: RunningAgent): Promise<void> {
  const document: z.infer<typeof stateSchema> = {
    version: 1,
    ...agent.identity,
    connection: agent.state.connection,
    error: agent.state.error,
    forwards: agent.state.forwards.map((forward) => ({ ...forward })),
  };
  await writeFileAtomic(path, `${JSON.stringify(document)}\n`);
}
