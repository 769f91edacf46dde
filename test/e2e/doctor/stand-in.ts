import { type IncomingHttpHeaders, request as send } from 'node:http';
import type { Readable } from 'node:stream';
import { type Listening, listen } from '../../support/test-service.js';

/** What a proxy does wrong. */
export interface Meddling {
  readonly url?: (url: string) => string;
  readonly headers?: (headers: IncomingHttpHeaders) => IncomingHttpHeaders;
  readonly answer?: (headers: IncomingHttpHeaders, status: number) => IncomingHttpHeaders;
  readonly body?: (body: Readable, headers: IncomingHttpHeaders) => Readable;
}

/** A proxy in front of a port of loopback, for faults that real ones are not easily brought to. Use it with `await using`. */
export async function startStandIn(target: number, meddling: Meddling): Promise<Listening> {
  return await listen((request, response) => {
    const { url = (same) => same, headers = (same) => same } = meddling;
    const { answer = (same) => same, body = (same) => same } = meddling;
    const upstream = send(
      {
        port: target,
        host: '127.0.0.1',
        agent: false,
        method: request.method,
        path: url(request.url ?? '/'),
        headers: headers({ ...request.headers, connection: 'close' }),
      },
      (from) => {
        const status = from.statusCode ?? 0;
        response.writeHead(status, answer({ ...from.headers, connection: 'close' }, status));
        response.flushHeaders();
        body(from, from.headers)
          .on('error', () => response.destroy())
          .pipe(response);
      },
    );
    upstream.on('error', () => response.destroy());
    response.once('close', () => upstream.destroy());
    request.pipe(upstream);
  });
}
