import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { NextFunction, Request, Response } from 'express';
import { headerValues } from './header-values.js';

/** It is logged: a stream token, which has 47 of these characters, is too long to get in by it. */
const REQUEST_ID = /^[A-Za-z0-9._-]{1,42}$/;

/** Gives each request a name that the caller and the log share: the caller's own, if it is a plain one. */
export function nameRequest(request: Request, response: Response, next: NextFunction): void {
  const given = headerValues(request, 'x-request-id')[0] ?? '';
  response.setHeader('X-Request-Id', REQUEST_ID.test(given) ? given : newRequestId());
  next();
}

export function newRequestId(): string {
  return randomUUID();
}

export function requestIdOf(response: ServerResponse): string {
  return String(response.getHeader('X-Request-Id') ?? '');
}
