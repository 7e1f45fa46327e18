/** An HTTP proxy that leads every name to one place of this computer, and writes down what it was asked. */
import http from 'node:http';
import net from 'node:net';

export interface RunningProxy extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly ProxyRequest[];
}

export interface ProxyRequest {
  /** `CONNECT`, or the method of a request that was handed on. */
  readonly method: string;
  /** `registry.example:443`, or a whole address. */
  readonly target: string;
  readonly proof: string | undefined;
}

/** `to`: `127.0.0.1:41234`. */
export async function startProxy(to: string): Promise<RunningProxy> {
  const requests: ProxyRequest[] = [];
  const [address = '', port = ''] = to.split(':');
  const sockets = new Set<net.Socket>();
  const note = (request: http.IncomingMessage): void => {
    const proof = request.headers['proxy-authorization'];
    requests.push({ method: request.method ?? '', target: request.url ?? '', proof });
  };
  const server = http.createServer((request, response) => {
    note(request);
    const { pathname, search } = new URL(request.url ?? '/', 'http://proxy');
    const { method, headers } = request;
    const onward = http.request({ host: address, port, method, path: `${pathname}${search}`, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.once('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  server.on('connect', (request: http.IncomingMessage, client: net.Socket) => {
    note(request);
    const onward = net.connect(Number(port), address, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      client.pipe(onward).pipe(client);
    });
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).once('close', () => sockets.delete(socket));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return {
    url: `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`,
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
