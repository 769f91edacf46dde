import {
  connect,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { DEADLINE_MS, withResolvers } from '../inbox.js';
import { until } from '../until.js';

/** An answer over HTTP/2 that is kept open. Use it with `await using`. */
export interface Http2Stream extends AsyncDisposable {
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  /** Waits until the body holds this text, behind what was waited for before. */
  text(wanted: string, deadlineMs: number): Promise<void>;
}

/** Asks for it on a connection of its own; its head is read. */
export async function openHttp2Stream(
  port: number,
  ca: string,
  request: OutgoingHttpHeaders,
): Promise<Http2Stream> {
  const session = connect(`https://localhost:${port}`, { ca });
  const head = withResolvers<Http2Stream['headers']>();
  const timer = setTimeout(() => head.reject(new Error('no answer over HTTP/2')), DEADLINE_MS);
  session.on('error', head.reject);
  const stream = session.request(request);
  let received = '';
  stream.on('response', head.resolve).on('error', head.reject);
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
  });
  try {
    const headers = await head.promise;
    let from = 0;
    return {
      headers,
      async text(wanted, deadlineMs) {
        await until(`"${wanted}" has come`, () => received.includes(wanted, from), deadlineMs);
        from = received.indexOf(wanted, from) + wanted.length;
      },
      async [Symbol.asyncDispose]() {
        session.destroy();
      },
    };
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
