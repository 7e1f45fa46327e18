/** Serves the contract on each port that the main process sends, and says which of them have come to their end. */
import type { ParentPort } from 'electron';
import { contract } from '../desktop/contract/contract.ts';
import type { Desktop } from '../desktop/open-desktop.ts';
import { mainPortLink } from '../desktop/wire/message-port-link.ts';
import { serve } from '../desktop/wire/serve.ts';
import type { FromCore, ToCore } from './core-host.ts';

export interface ServeCoreOptions {
  readonly desktop: Pick<Desktop, 'services' | typeof Symbol.asyncDispose>;
  readonly parent: Pick<ParentPort, 'on' | 'postMessage'>;
  readonly report: (fault: Error) => void;
  readonly exit: () => void;
}

export function serveCore({ desktop, parent, report, exit }: ServeCoreOptions): void {
  parent.on('message', ({ data, ports }) => {
    const message = data as ToCore; // The parent is our own main process; nobody else has this port.
    if (message.kind === 'close') {
      void desktop[Symbol.asyncDispose]().then(exit, (cause: unknown) => {
        report(new Error('the core could not be closed in order', { cause }));
        exit();
      });
      return;
    }
    const [port] = ports;
    if (!port) return report(new Error(`link ${message.link} came without its port`));
    const serving = serve({ contract, implementation: desktop.services, link: mainPortLink(port), report });
    void serving.done.then(() => parent.postMessage({ kind: 'closed', link: message.link } satisfies FromCore));
  });
}
