import { connect } from 'node:net';
import type { PlayedHost, PlayedVm } from './host.ts';

const answerMs = 30_000;

/** Resolves when the machine's process has done it. */
export function tell(host: PlayedHost, vm: PlayedVm, verb: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(host.controlSocket(vm.id), () => socket.end(`${verb}\n`));
    socket.setTimeout(answerMs, () => socket.destroy(new Error(`the machine's process does not answer ${verb}`)));
    socket.resume();
    socket.once('error', reject);
    socket.once('close', () => resolve());
  });
}
