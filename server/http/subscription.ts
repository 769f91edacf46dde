import { type Cursor, isPattern, MAX_PATTERNS, PARAMETERS } from '@sluice/protocol';
import type { Request } from 'express';
import { SluiceError } from '../errors.js';
import type { Patterns } from '../hub/filter.js';
import { readCursor } from '../hub/start.js';
import { headerValues } from './header-values.js';

/** What a subscriber asks for beside its token. */
export interface Subscription {
  readonly topics: Patterns;
  readonly types: Patterns;
  readonly cursor: Cursor | null;
}

/** @throws SluiceError INVALID_REQUEST naming the parameter that is wrong. */
export function readSubscription(request: Request, query: URLSearchParams): Subscription {
  if (query.has(PARAMETERS.filter)) {
    throw invalid(PARAMETERS.filter, 'is not supported; use "topics" and "types"');
  }
  return {
    topics: readPatterns(query, PARAMETERS.topics),
    types: readPatterns(query, PARAMETERS.types),
    cursor: readLastEventId(request, query),
  };
}

/** Whether refusals shall be told in the stream. @throws SluiceError INVALID_REQUEST */
export function wantsErrorsInStream(query: URLSearchParams): boolean {
  const given = query.getAll(PARAMETERS.errors);
  if (given.length === 0) return false;
  if (given.length === 1 && given[0] === 'stream') return true;
  throw invalid(PARAMETERS.errors, 'can only be "stream", once');
}

function readPatterns(query: URLSearchParams, name: string): Patterns {
  const given = query.getAll(name);
  if (given.length === 0) return null;
  const patterns = given.flatMap((list) => list.split(','));
  if (patterns.length > MAX_PATTERNS) throw invalid(name, `lists more than ${MAX_PATTERNS} names`);
  if (!patterns.every(isPattern))
    throw invalid(name, 'holds something that is not a name or pattern');
  return patterns;
}

/** The header wins: a browser sets it when it reconnects, while the address stays what it was. */
function readLastEventId(request: Request, query: URLSearchParams): Cursor | null {
  const headers = headerValues(request, 'last-event-id');
  const parameters = query.getAll(PARAMETERS.lastEventId);
  if (headers.length > 1) throw invalid('Last-Event-ID', 'was given twice');
  if (parameters.length > 1) throw invalid(PARAMETERS.lastEventId, 'was given twice');
  const text = headers[0] || parameters[0];
  return text === undefined || text === '' ? null : readCursor(text);
}

function invalid(parameter: string, fault: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', `"${parameter}" ${fault}.`);
}
