import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '../ops/log.js';
import { newRequestId } from './request-id.js';
import { isBeingAnswered, type RequestWatch } from './request-watch.js';

/** What Node answers by itself to what it cannot read, by the code of its error. */
const ANSWERS: ReadonlyMap<string, readonly [status: number, phrase: string]> = new Map([
  ['HPE_HEADER_OVERFLOW', [431, 'Request Header Fields Too Large']],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', [413, 'Payload Too Large']],
  ['ERR_HTTP_REQUEST_TIMEOUT', [408, 'Request Timeout']],
]);
const MALFORMED = [400, 'Bad Request'] as const;
/** A connection that broke was no request. */
const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT']);
const PLAIN_CODE = /^[A-Z_]{1,64}$/;

/**
 * Writes a line for what never becomes a request: what cannot be read, and what Node answers before anybody is asked. The
 * answers are Node's own.
 */
export function watchOutside(server: Server, watch: RequestWatch, log: Log): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const { code = '' } = error;
    const [status, phrase] = ANSWERS.get(code) ?? MALFORMED;
    // Within the answer to an earlier request, another one would be a part of it.
    const isAnswered = socket.writable && !isBeingAnswered(socket);
    if (isAnswered) socket.write(`HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\n\r\n`);
    destroySoon(socket);
    if (BROKEN.has(code)) return;
    log.info(
      {
        requestId: newRequestId(),
        code: 'INVALID_REQUEST',
        ...(isAnswered && { status }),
        // Of the parser's own words: the error holds all that was read, too.
        reason: PLAIN_CODE.test(code) ? code : 'unknown',
      },
      'request refused',
    );
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    watch.observe(request, response);
    response.writeHead(417).end();
  });
  server.on('connect', (_request, socket) => {
    log.info({ requestId: newRequestId(), method: 'CONNECT' }, 'request refused');
    socket.destroy();
  });
}

function destroySoon(socket: Duplex & { destroySoon?: () => void }): void {
  if (socket.destroySoon === undefined) socket.destroy();
  else socket.destroySoon();
}
