import type { CreateExecBody, ExecInspect, StartExecBody } from '../api/exec.ts';
import { answerOf } from './answers.ts';
import { attachSession } from './attach.ts';
import type { AttachSession } from './attach.ts';
import { multiplexedContentType } from './output.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

/** Commands that run in running containers. `id` is the one that `create` gives. */
export class ExecClient {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Notes the command; nothing runs yet. Throws EngineError 404 for the container, 409 when it does not run. */
  async create(container: string, body: CreateExecBody, call: CallOptions = {}): Promise<string> {
    const path = `/containers/${encodeURIComponent(container)}/exec`;
    const { text } = await this.#session.call({ method: 'POST', path, json: body, ...call });
    return answerOf<{ readonly Id: string }>(text, 'create exec', { Id: 'string' }).Id;
  }

  /** Runs it and joins its stdio. `Tty` is what `create` said, and tells how the output comes. */
  async start(id: string, options: Omit<StartExecBody, 'Detach'> = {}, call: CallOptions = {}): Promise<AttachSession> {
    const json: StartExecBody = { ...options, Detach: false };
    const hijacked = await this.#session.hijack({ method: 'POST', path: pathOf(id, 'start'), json, ...call });
    const isFramed = hijacked.contentType.startsWith(multiplexedContentType) || !(options.Tty ?? false);
    return attachSession(hijacked, { isFramed });
  }

  async startDetached(id: string, options: Omit<StartExecBody, 'Detach'> = {}, call: CallOptions = {}): Promise<void> {
    const json: StartExecBody = { ...options, Detach: true };
    await this.#session.call({ method: 'POST', path: pathOf(id, 'start'), json, ...call });
  }

  async inspect(id: string, call: CallOptions = {}): Promise<ExecInspect> {
    const { text } = await this.#session.call({ method: 'GET', path: pathOf(id, 'json'), ...call });
    return answerOf<ExecInspect>(text, 'inspect exec', { ContainerID: 'string' });
  }

  /** Sets the size of its terminal, in characters. */
  async resize(
    id: string,
    size: { readonly rows: number; readonly columns: number },
    call: CallOptions = {},
  ): Promise<void> {
    const query = { h: size.rows, w: size.columns };
    await this.#session.call({ method: 'POST', path: pathOf(id, 'resize'), query, ...call });
  }
}

function pathOf(id: string, verb: string): string {
  return `/exec/${encodeURIComponent(id)}/${verb}`;
}
