/** Plays a topic's steps on one engine and notes what each shows. */
import { setTimeout } from 'node:timers/promises';
import { call } from '../engine/api.ts';
import { docker } from '../engine/docker.ts';
import { differences, Names } from './normalise.ts';
import type { Registries } from './registries.ts';
import type { Step, Topic } from './step.ts';

/** The newest that dockerd 28 speaks: answers differ by version. */
const comparedVersion = '1.51';

const pollMs = 50;

/** A step that takes longer hangs; its exit code shows it. */
const stepTimeoutMs = 60_000;

/** What a step showed, with all that is variable made equal. */
export type Shown = Readonly<Record<string, unknown>>;

/** `hosts`: what stands for `%registry%` and `%guarded%`. */
export async function play(
  topic: Topic,
  socket: string,
  hosts: Pick<Registries, 'host' | 'guarded'>,
): Promise<readonly Shown[]> {
  const prefix = `${topic.name}-`;
  const names = new Names(prefix);
  const began = Date.now() / 1000;
  const shown: Shown[] = [];
  for (const step of topic.steps) shown.push(await playStep(filled(step, { prefix, hosts }), { socket, names, began }));
  return shown;
}

/** Where and how two showings differ: one line a difference, each beginning with its place. */
export function compare(ours: Shown, theirs: Shown): readonly string[] {
  return differences(...comparable(ours, theirs)).map((line) => line.replace(/^\./, ''));
}

/** How many past events an engine gives back; other topics may have pushed the first ones of this out. */
const keptEvents = 256;

/** The last events that both have, where either had no room for the first. */
function comparable(ours: Shown, theirs: Shown): readonly [Shown, Shown] {
  const [{ events: our, isCut: isOurCut }, { events: their, isCut: isTheirCut }] = [ours, theirs];
  if (!Array.isArray(our) || !Array.isArray(their)) return [ours, theirs];
  const common = isOurCut === true || isTheirCut === true ? Math.min(our.length, their.length) : Infinity;
  return [{ events: our.slice(-common) }, { events: their.slice(-common) }];
}

async function playStep(
  step: Step,
  on: { readonly socket: string; readonly names: Names; readonly began: number },
): Promise<Shown> {
  const { socket, names } = on;
  switch (step.kind) {
    case 'cli': {
      const { exitCode, stdout, stderr } = await docker(socket, step.words, step.input, stepTimeoutMs);
      return { exitCode, stdout: output(names, stdout, step.isUnordered), stderr: output(names, stderr, true) };
    }
    case 'api': {
      const path = /^\/v\d/.test(step.path) ? step.path : `/v${comparedVersion}${step.path}`;
      const answer = await call(socket, step.method, path, step.body, step.headers);
      return {
        status: answer.status,
        type: answer.headers['content-type'] ?? null,
        body: bodyOf(names, answer.text),
      };
    }
    case 'until': {
      const deadline = performance.now() + 60_000;
      for (;;) {
        const { stdout, stderr } = await docker(socket, step.words);
        if (step.matches.test(stdout)) return { came: true };
        if (performance.now() > deadline)
          throw new Error(`docker ${step.words.join(' ')} never showed ${String(step.matches)}:\n${stdout}${stderr}`);
        await setTimeout(pollMs);
      }
    }
    case 'events': {
      const happened = async (filters: readonly string[], aheadMs: number): Promise<readonly string[]> => {
        const until = ((Date.now() + aheadMs) / 1000).toFixed(6);
        const asked = filters.flatMap((filter) => ['--filter', filter]);
        const words = ['events', '--since', on.began.toFixed(6), '--until', until, ...asked, '--format', '{{json .}}'];
        const { stdout } = await docker(socket, words);
        return stdout.split('\n').filter((line) => line !== '');
      };
      const events = (await happened(step.filters, 1)).map((line) => names.json(JSON.parse(line) as unknown));
      // Ahead, for what happens while docker starts belongs to those that are kept.
      return { events, isCut: (await happened([], 1000)).length >= keptEvents };
    }
  }
}

/** Lines; those that are JSON as what they say. Empty lines at the end do not count. */
function output(names: Names, text: string, isUnordered: boolean): unknown {
  const whole = parsed(text);
  if (whole !== undefined) return names.json(whole);
  const lines = names
    .text(text.replaceAll('\r\n', '\n'))
    .split('\n')
    .map((line) => line.trimEnd());
  while (lines.at(-1) === '') lines.pop();
  return isUnordered ? lines.toSorted() : lines;
}

function bodyOf(names: Names, text: string): unknown {
  const value = parsed(text);
  return value === undefined ? names.text(text) : names.json(value);
}

/** Undefined for what is no JSON object or list. */
function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // a text that begins with a bracket
  }
}

interface Fillings {
  readonly prefix: string;
  readonly hosts: Pick<Registries, 'host' | 'guarded'>;
}

function filled(step: Step, { prefix, hosts }: Fillings): Step {
  // Not the one of a digest.
  const put = (text: string): string =>
    text
      .replace(/@(?!sha256:)/g, prefix)
      .replaceAll('%registry%', hosts.host)
      .replaceAll('%guarded%', hosts.guarded);
  switch (step.kind) {
    case 'cli':
      return { ...step, words: step.words.map(put), input: put(step.input) };
    case 'until':
      return { ...step, words: step.words.map(put) };
    case 'events':
      return { ...step, filters: step.filters.map(put) };
    case 'api':
      return {
        ...step,
        path: put(step.path),
        body: step.body === undefined ? undefined : (JSON.parse(put(JSON.stringify(step.body))) as unknown),
      };
  }
}
