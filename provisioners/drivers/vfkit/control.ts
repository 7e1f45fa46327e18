import { request } from 'node:http';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';

/** What a vfkit that runs can be told over its control socket: HTTP, `GET` and `POST /vm/state`. */

/** As the framework calls them: `VirtualMachineStateRunning`. */
const stateAnswer = z.object({ state: z.string() });
const errorAnswer = z.object({ error: z.string() });

const wishMs = 10_000;

export type VfkitWish = 'Pause' | 'Resume' | 'HardStop';

/** Null when nobody answers: it has just started, or it is ending. */
export async function askState(socket: string): Promise<'paused' | 'running' | null> {
  let answer: Answer;
  try {
    answer = await call({ socket, method: 'GET', body: null, timeoutMs: 2_000 });
  } catch {
    return null;
  }
  const parsed = stateAnswer.safeParse(parseJson(answer.text));
  if (!parsed.success) return null;
  return /Paus/.test(parsed.data.state) ? 'paused' : 'running';
}

/** Resolves when it is done. Throws where vfkit refuses it. */
export async function askFor(socket: string, wish: VfkitWish): Promise<void> {
  const { status, text } = await call({
    socket,
    method: 'POST',
    body: JSON.stringify({ state: wish }),
    timeoutMs: wishMs,
  });
  if (status < 300) return;
  const parsed = errorAnswer.safeParse(parseJson(text));
  const why = parsed.success ? parsed.data.error : `HTTP status ${status}`;
  throw new MachineError('internal', `vfkit refused to ${words[wish]} the machine: ${why}`);
}

const words: Readonly<Record<VfkitWish, string>> = { Pause: 'pause', Resume: 'resume', HardStop: 'end' };

interface Answer {
  readonly status: number;
  readonly text: string;
}

function call(options: {
  readonly socket: string;
  readonly method: 'GET' | 'POST';
  readonly body: string | null;
  readonly timeoutMs: number;
}): Promise<Answer> {
  const { socket: socketPath, method, body, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const headers = body === null ? {} : { 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(timeoutMs);
    const outgoing = request({ socketPath, method, path: '/vm/state', headers, agent: false, signal }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
      incoming.once('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      incoming.once('error', reject);
    });
    outgoing.once('error', (cause) => {
      const message = signal.aborted
        ? `vfkit did not answer within ${timeoutMs / 1000} s`
        : `vfkit does not answer: ${cause.message}`;
      reject(new MachineError(signal.aborted ? 'timeout' : 'internal', message, { cause }));
    });
    outgoing.end(body ?? undefined);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
