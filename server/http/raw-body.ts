import express, { type Request, type Response } from 'express';

/**
 * Reads a body as bytes, of whatever type, when it is called: after the gate has said who asks. Where the application
 * around this router has parsed the body already, that value is given.
 */
export function createRawBodyReader(maxBytes: number) {
  const parse = express.raw({ type: () => true, limit: maxBytes });
  return async (request: Request, response: Response): Promise<unknown> => {
    await new Promise<void>((resolve, reject) => {
      parse(request, response, (error?: unknown) => (error ? reject(error) : resolve()));
    });
    return request.body;
  };
}
