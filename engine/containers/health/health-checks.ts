import { runExec } from '../../exec/run-exec.ts';
import type { ContainerId } from '../../model/ids.ts';
import { formatInstant, parseInstant } from '../../model/time.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { Parts } from '../parts.ts';
import { liveState } from '../state.ts';
import { afterProbe, type Health, nextProbeMs, type ProbePlan, probePlan, type ProbeResult } from './health.ts';

const maxOutputBytes = 4096;

/**
 * Probes the containers that have a health check while they run and are not paused. A timer and, while a probe runs, one exec a
 * container; nothing is written but when a status changes. What the last probes said lives in memory; the status survives skiffd.
 */
export class HealthChecks implements Disposable {
  readonly #checks = new Map<ContainerId, Check>();

  /** From its creation, or from boot, on; until it is forgotten. */
  follow(parts: Parts, container: Container): void {
    const plan = probePlan(container.spec.healthcheck, container.spec.shell);
    if (plan !== null) this.#checks.set(container.id, new Check(parts, container, plan));
  }

  forget(id: ContainerId): void {
    this.#checks.get(id)?.[Symbol.dispose]();
    this.#checks.delete(id);
  }

  /** Null without a health check, and before the first start. */
  healthOf(container: Container): Health | null {
    return container.history.health === null ? null : (this.#checks.get(container.id)?.health ?? null);
  }

  [Symbol.dispose](): void {
    for (const check of this.#checks.values()) check[Symbol.dispose]();
    this.#checks.clear();
  }
}

/** The health check of one container. */
class Check implements Disposable {
  readonly #parts: Parts;
  readonly #container: Container;
  readonly #plan: ProbePlan;
  readonly #watching: Disposable;
  #failingStreak = 0;
  #log: readonly ProbeResult[] = [];
  #timer: NodeJS.Timeout | null = null;
  /** Of the probe that runs, or of the wait for it. */
  #running: AbortController | null = null;

  constructor(parts: Parts, container: Container, plan: ProbePlan) {
    this.#parts = parts;
    this.#container = container;
    this.#plan = plan;
    this.#watching = container.watch((state, before) => {
      if (state.status !== 'running') return this.#stop();
      if (before.status !== 'paused') this.#failingStreak = 0;
      this.#go();
    });
    if (container.state.status === 'running') this.#go();
  }

  get health(): Health {
    const status = this.#container.history.health ?? 'starting';
    return { status, failingStreak: this.#failingStreak, log: this.#log };
  }

  [Symbol.dispose](): void {
    this.#watching[Symbol.dispose]();
    this.#stop();
  }

  #go(): void {
    this.#stop();
    const running = new AbortController();
    this.#running = running;
    this.#schedule(running);
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#running?.abort();
    this.#running = null;
  }

  #schedule(running: AbortController): void {
    const delayMs = nextProbeMs(this.#plan, this.health.status, this.#runningMs());
    this.#timer = setTimeout(() => {
      this.#probeOnce(running).catch((error: unknown) =>
        this.#parts.log.error('a health check ended', { container: this.#container.id, error }),
      );
    }, delayMs);
  }

  async #probeOnce(running: AbortController): Promise<void> {
    const runningMs = this.#runningMs();
    const result = await this.#probe(running.signal);
    if (running.signal.aborted) return; // it was paused or has ended meanwhile
    const health = afterProbe(this.#plan, this.health, { result, runningMs });
    this.#failingStreak = health.failingStreak;
    this.#log = health.log;
    if (health.status !== this.#container.history.health) this.#changeStatus(health.status);
    this.#schedule(running);
  }

  #changeStatus(status: Health['status']): void {
    const history = { ...this.#container.history, health: status };
    this.#parts.rows.changeHistory(this.#container.id, history);
    this.#container.changeHistory(history);
    publishContainerEvent(this.#parts, this.#container, `health_status: ${status}`);
  }

  async #probe(signal: AbortSignal): Promise<ProbeResult> {
    const { command, timeoutMs } = this.#plan;
    const startedAt = formatInstant(this.#parts.now());
    const ended = (exitCode: number, output: string): ProbeResult => ({
      startedAt,
      endedAt: formatInstant(this.#parts.now()),
      exitCode,
      output,
    });
    try {
      const options = { command, timeoutMs, maxOutputBytes: maxOutputBytes + 1, signal };
      const { exitCode, output, ending } = await runExec(this.#parts, this.#container, options);
      const text = textOf(output);
      if (ending === 'by-itself') return ended(exitCode, text);
      const late = `Health check exceeded timeout (${goSeconds(timeoutMs)})`;
      return ended(-1, text === '' ? late : `${late}: ${text}`);
    } catch (error) {
      // The container ended in this very moment, or the engine could not run anything.
      return ended(-1, error instanceof Error ? error.message : String(error));
    }
  }

  #runningMs(): number {
    const startedAt = liveState(this.#container.state)?.startedAt;
    const since = startedAt === undefined ? null : parseInstant(startedAt);
    return since === null ? 0 : Number((this.#parts.now() - since) / 1_000_000n);
  }
}

function textOf(output: Buffer): string {
  const text = output.subarray(0, maxOutputBytes).toString('utf8');
  return output.length > maxOutputBytes ? `${text}...` : text;
}

/** `500ms`, `30s`, `1m30s`, as Go prints a duration. */
function goSeconds(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const seconds = milliseconds / 1000;
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${hours}h${minutes % 60}m${rest}`;
  return minutes > 0 ? `${minutes}m${rest}` : rest;
}
