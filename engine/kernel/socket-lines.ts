/** Lines of JSON over a socket, as skiffd and the programs beside it speak with each other. */
import type { Socket } from 'node:net';

export function writeLine(socket: Socket, message: object): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** A line that is no JSON ends the connection: no peer of ours sends one. */
export function readLines(socket: Socket, onMessage: (message: unknown) => void): void {
  socket.setEncoding('utf8');
  let held = '';
  socket.on('data', (text: string) => {
    const lines = `${held}${text}`.split('\n');
    held = lines.pop() ?? '';
    try {
      for (const line of lines) onMessage(JSON.parse(line) as unknown);
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
