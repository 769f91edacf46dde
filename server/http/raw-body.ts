import express, { type Request, type Response } from 'express';

/**
 * Reads a body as bytes, of whatever type, when it is called: after the gate has said who asks. Where the application
 * around this router has parsed the body already, that value is given.
 */
export function createRawBodyReader(maxBytes: number) {
  const parse = express.raw({ type: () => true, limit: maxBytes });
  return async (request: Request, response: Response): Promise<unknown> => {
    const bytes = bodyAtHand(request, maxBytes);
    if (bytes !== null) return bytes;
    await new Promise<void>((resolve, reject) => {
      parse(request, response, (error?: unknown) => (error ? reject(error) : resolve()));
    });
    return request.body;
  };
}

/**
 * A plain body that came with its head, as a small one does, once all of it is there: no need to wait for events and
 * to guard the wait. Whatever else a body may be, too large or compressed among it, is for Express to judge.
 */
function bodyAtHand(request: Request, maxBytes: number): Buffer | null {
  const { headers, body, readableLength } = request;
  const isPlain = headers['content-encoding'] === undefined && request.readableEncoding === null;
  const isUntouched = body === undefined && request.readableFlowing === null;
  const isWhole = readableLength > 0 && String(readableLength) === headers['content-length'];
  if (!isPlain || !isUntouched || !isWhole || readableLength > maxBytes) return null;
  const bytes = request.read() as Buffer;
  // Nothing is left but its end, which Node waits for before it reads the next request of the connection.
  request.resume();
  return bytes;
}
