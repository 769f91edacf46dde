import { isUtf8 } from 'node:buffer';
import { CONTENT_TYPES } from '@sluice/protocol';
import type { Request } from 'express';
import { SluiceError } from '../errors.js';
import { JsonFault, parseJson } from '../json.js';
import type { EventForm } from '../log/publisher.js';

/** Only what would cost too much to look at is refused here; events are judged one by one, by their index. */
const MAX_DEPTH = 20_000;

/** The events of a request's body, not yet looked at one by one. */
export interface EventBody {
  readonly events: readonly unknown[];
  readonly form: EventForm;
}

/** What a content type says of the body. */
export interface Media {
  readonly form: EventForm;
  /** Whether the body may, or must, be a list. */
  readonly list: 'maybe' | 'never' | 'always';
}

const MEDIA: Readonly<Record<string, Media>> = {
  [CONTENT_TYPES.json]: { form: 'short', list: 'maybe' },
  [CONTENT_TYPES.cloudEvent]: { form: 'cloudevent', list: 'never' },
  [CONTENT_TYPES.cloudEventBatch]: { form: 'cloudevent', list: 'always' },
};

/** @throws SluiceError UNSUPPORTED_MEDIA_TYPE */
export function mediaOf(request: Request): Media {
  const [type = '', ...parameters] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const media = Object.hasOwn(MEDIA, type) ? MEDIA[type] : undefined;
  const isUtf8 = parameters.every(
    (parameter) => !parameter.startsWith('charset=') || /^charset="?utf-8"?$/.test(parameter),
  );
  if (media === undefined || !isUtf8) {
    throw new SluiceError(
      'UNSUPPORTED_MEDIA_TYPE',
      `Events are published as ${Object.keys(MEDIA).join(', ')}, in UTF-8.`,
    );
  }
  return media;
}

/** @throws SluiceError INVALID_REQUEST */
export function readEventBody(bytes: Buffer, { form, list }: Media): EventBody {
  const value = parseBody(bytes);
  const isList = Array.isArray(value);
  if (list === 'always' && !isList) throw invalid('is not a list of events');
  if (list === 'never' && isList) throw invalid('is a list, where one event is expected');
  return { events: isList ? value : [value], form };
}

function parseBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) {
    const index = indexOfBrokenText(bytes);
    throw new SluiceError('INVALID_REQUEST', `Event ${index}: is not valid UTF-8.`);
  }
  try {
    return parseJson(bytes, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (error instanceof JsonFault) throw invalid(error.message);
    throw error;
  }
}

/** The event in which bytes stand that are no text. What gives JSON its structure is ASCII, and can be told without. */
function indexOfBrokenText(bytes: Buffer): number {
  const text = bytes.toString('latin1');
  if (!/^\s*\[/.test(text)) return 0;
  let index = 0;
  let start = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const mark = text.charAt(at);
    if (mark === '"') at = endOfString(text, at);
    else if (mark === '[' || mark === '{') depth++;
    else if (mark === ']' || mark === '}') depth--;
    else if (mark === ',' && depth === 1) {
      if (!isUtf8(bytes.subarray(start, at))) return index;
      index++;
      start = at;
    }
  }
  return index;
}

/** Where the quote stands that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1;
  return at;
}

function invalid(fault: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', `The body ${fault}.`);
}
