import type { Writable } from 'node:stream';
import { unixSocketDialer } from '../client/dial.ts';
import { EngineClient } from '../client/engine-client.ts';

/** Runs the built-in `hello` image in the engine behind `socket`, passes its output on and gives its exit code. The container is removed. */
export async function runHello(
  socket: string,
  output: { readonly stdout: Writable; readonly stderr: Writable },
): Promise<number> {
  using engine = new EngineClient(unixSocketDialer(socket));
  const body = { Image: 'hello', AttachStdout: true, AttachStderr: true, HostConfig: { AutoRemove: true } };
  const { Id } = await engine.containers.create(body);
  using session = await engine.containers.attach(Id, { stdout: true, stderr: true });
  using ended = await engine.containers.wait(Id, 'removed');
  await engine.containers.start(Id);
  for await (const { stream, payload } of session.output) output[stream].write(payload);
  return (await ended.answer).StatusCode;
}
