import { CONTENT_TYPES } from '@sluice/protocol';
import type { Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import { JsonFault, parseJson } from '../json.js';
import { createRawBodyReader } from './raw-body.js';

/** Small requests are flat. */
const MAX_DEPTH = 8;
const UTF_8 = /^charset="?utf-8"?$/;

/**
 * Reads a small JSON body, to be called when the gate has said who asks.
 * @throws SluiceError UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST; PAYLOAD_TOO_LARGE as an error of the body parser
 */
export type JsonBodyReader = (request: Request, response: Response) => Promise<unknown>;

export function createJsonBodyReader(maxBytes: number): JsonBodyReader {
  const readRaw = createRawBodyReader(maxBytes);
  return async (request, response) => {
    checkMedia(request);
    const body = await readRaw(request, response);
    // What the application around this router has parsed already is taken as it is.
    return Buffer.isBuffer(body) ? parseBody(body) : body;
  };
}

function checkMedia(request: Request): void {
  const [type, ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const isUtf8 = parameters.every((text) => !text.startsWith('charset=') || UTF_8.test(text));
  if (type === CONTENT_TYPES.json && isUtf8) return;
  throw new SluiceError('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json, in UTF-8.');
}

function parseBody(bytes: Buffer): unknown {
  try {
    return parseJson(bytes, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (error instanceof JsonFault) {
      throw new SluiceError('INVALID_REQUEST', `The body ${error.message}.`);
    }
    throw error;
  }
}
