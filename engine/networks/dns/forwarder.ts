import { randomInt } from 'node:crypto';
import { refusal, responseCode, responseCodes } from './answer.ts';
import { type Exchange, type Transport, exchange } from './exchange.ts';
import type { Upstream } from './named-container.ts';

/** As docker has them: the client's own resolver gives up after five seconds, and asks again. */
const timeoutMs = 4000;
const mostServers = 3;
const mostInFlight = 1024;

/** Passes the questions of one container on to the servers outside, one after the other until one knows. */
export class Forwarder {
  readonly #namespace: Exchange['namespace'];
  readonly #hostServers: () => readonly string[];
  readonly #ask: (request: Exchange) => Promise<Buffer>;
  #inFlight = 0;

  constructor(parts: {
    /** Of the container. */
    readonly namespace: Exchange['namespace'];
    readonly hostServers: () => readonly string[];
    readonly ask?: (request: Exchange) => Promise<Buffer>;
  }) {
    this.#namespace = parts.namespace;
    this.#hostServers = parts.hostServers;
    this.#ask = parts.ask ?? exchange;
  }

  /** Always an answer: REFUSED when too many wait already, SERVFAIL when no server had one. */
  async forward(query: Buffer, upstream: Upstream, transport: Transport): Promise<Buffer> {
    if (this.#inFlight >= mostInFlight) return refusal(query, responseCodes.refused);
    this.#inFlight += 1;
    try {
      return (await this.#firstAnswer(query, upstream, transport)) ?? refusal(query, responseCodes.serverFailure);
    } finally {
      this.#inFlight -= 1;
    }
  }

  async #firstAnswer(query: Buffer, upstream: Upstream, transport: Transport): Promise<Buffer | null> {
    const sent = Buffer.from(query);
    for (const server of this.#serversOf(upstream)) {
      sent.writeUInt16BE(randomInt(65_536), 0);
      const namespace = upstream.kind === 'servers' ? this.#namespace : null;
      let answer: Buffer;
      try {
        answer = await this.#ask({ query: sent, server, transport, namespace, timeoutMs });
      } catch {
        continue; // unreachable or silent: the next one may know
      }
      const isUseless = ([responseCodes.serverFailure, responseCodes.refused] as number[]).includes(
        responseCode(answer),
      );
      if (isUseless) continue;
      query.copy(answer, 0, 0, 2);
      return answer;
    }
    return null;
  }

  #serversOf(upstream: Upstream): readonly string[] {
    switch (upstream.kind) {
      case 'none':
        return [];
      case 'host':
        return this.#hostServers().slice(0, mostServers);
      case 'servers':
        return upstream.servers.slice(0, mostServers);
    }
  }
}
