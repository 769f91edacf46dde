import type { RealtimeError } from '../errors.js';
import type { FetchLike, FetchLikeInit, FetchLikeResponse } from '../http/fetch-like.js';
import { parseJsonObject, readText } from '../http/response-body.js';
import { redactedCause } from '../redact.js';
import type { TokenAnswer } from './provided-token.js';
import { providerRefusal } from './provider-refusal.js';
import { tokenFailure } from './token-failure.js';

/** What is shorter is told as it is: `x-version: 1`. */
const LEAST_SECRET_LENGTH = 8;
// RFC 9110, section 5.5
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** How a backend of the application's own is asked for a token. */
export interface RemoteRequestOptions {
  /** With `GET` the parameters go into the query, with `POST` into a JSON body. Default: `POST`. */
  readonly method?: 'GET' | 'POST' | undefined;
  /** Whether cookies go along. Default: `same-origin`. */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined;
  /** Default: that of `fetch`. */
  readonly mode?: 'cors' | 'same-origin' | undefined;
}

export interface RemoteRequest extends RemoteRequestOptions {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Asks a backend for a token.
 * @param map takes what counts out of the JSON object that was answered. What it returns is not checked here.
 * @throws RealtimeError TOKEN_PROVIDER_ERROR, without a header or a parameter in it.
 */
export async function requestToken(
  fetch: FetchLike,
  request: RemoteRequest,
  map: ((body: Record<string, unknown>) => unknown) | undefined,
): Promise<TokenAnswer> {
  const response = await send(fetch, request);
  const { status, headers } = response;
  if (status < 200 || status > 299) throw providerRefusal(response, 'auth endpoint');
  const text = await readText(response, request.signal);
  const isPlain = /^text\/plain\b/i.test(headers.get('content-type') ?? '');
  if (isPlain && map === undefined) return text.trim();
  const body = parseJsonObject(text);
  if (body === null) {
    throw tokenFailure({
      message: 'The auth endpoint answered with something that is no JSON object',
      status,
    });
  }
  return (map ?? tokenIn)(body) as TokenAnswer;
}

async function send(fetch: FetchLike, request: RemoteRequest): Promise<FetchLikeResponse> {
  const { method = 'POST', params = {}, credentials = 'same-origin', mode, signal } = request;
  const isGet = method === 'GET';
  const query = isGet ? queryOf(params) : '';
  const body = isGet ? '' : JSON.stringify(params);
  const sent = headersOf(request.headers);
  const init: FetchLikeInit = {
    method,
    headers: {
      accept: 'application/json, text/plain;q=0.9',
      ...(!isGet && { 'content-type': 'application/json' }),
      ...sent,
    },
    ...(!isGet && { body }),
    signal,
    cache: 'no-store',
    credentials,
    ...(mode !== undefined && { mode }),
    redirect: 'manual',
  };
  try {
    return await fetch(withQuery(request.url, query), init);
  } catch (error) {
    throw unreachable(request.url, error, [query, body, ...textsOf(params), ...textsOf(sent)]);
  }
}

/** @param said all that was sent. What is short is no secret, and taking it out would spoil the rest of the text. */
function unreachable(url: string, error: unknown, said: readonly string[]): RealtimeError {
  const secrets = said.filter((text) => text.length >= LEAST_SECRET_LENGTH);
  const isAbsolute = URL.canParse(url, pageAddress());
  return tokenFailure({
    message: isAbsolute
      ? 'The auth endpoint could not be reached'
      : 'The auth endpoint has a relative address, which works in a page only',
    recoverable: isAbsolute,
    cause: redactedCause(error, secrets),
  });
}

/** What relative addresses are relative to; nothing outside of a page and its workers. */
function pageAddress(): string | undefined {
  const { document, location } = globalThis as Partial<typeof globalThis>;
  return document?.baseURI ?? location?.href;
}

/**
 * In lower case, so that a header of the application takes the place of the one that would be sent without it.
 * @throws RealtimeError for a value that no `fetch` takes: that of Node would quote it.
 */
function headersOf(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => {
    const text = String(value).trim();
    if (!HEADER_VALUE.test(text)) {
      throw tokenFailure({ message: `The header "${name}" has a value that cannot be sent` });
    }
    return [name.toLowerCase(), text] as const;
  });
  return Object.fromEntries(entries);
}

/** The texts in `value`, also deep inside. */
function textsOf(value: unknown): readonly string[] {
  return typeof value === 'string' ? [value] : Object.values(Object(value)).flatMap(textsOf);
}

function queryOf(params: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(params).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

function withQuery(url: string, query: string): string {
  if (query === '') return url;
  return url + (url.includes('?') ? '&' : '?') + query;
}

/** `{ token, expiresAt? }`, or the answer of a token endpoint (RFC 6749, section 5.1). */
function tokenIn(body: Record<string, unknown>): unknown {
  const { access_token: token, expires_in: expiresIn } = body;
  if (token === undefined) return body;
  const endsAt = new Date(Date.now() + Number(expiresIn) * 1000);
  return Number.isNaN(endsAt.getTime()) ? { token } : { token, expiresAt: endsAt.toISOString() };
}
