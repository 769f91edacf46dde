import { describe, expect, it } from '@jest/globals';
import type {
  ConnectionState,
  ConnectOptions,
  RealtimeError,
  SubscribeOptions,
  TokenOptions,
  TokenRequest,
} from '@sluice/sdk';
import { readDocument, tableRows } from './markdown.js';

const PAGE = readDocument('docs/sdk.md');

// The compiler holds these lists to the types of the SDK: each name must be there, and no other may.

const CONNECT_OPTIONS: Record<keyof ConnectOptions, true> = {
  endpoint: true,
  workspace: true,
  transport: true,
  queryToken: true,
  crossTab: true,
  crossTabKey: true,
  fetch: true,
  backoff: true,
  retryBackoff: true,
  maxAttempts: true,
  heartbeatTimeoutMs: true,
  suspendWhenHidden: true,
  signal: true,
  onError: true,
};

type NamesOf<T> = T extends unknown ? keyof T : never;

const TOKEN_OPTIONS: Record<NamesOf<TokenOptions>, true> = {
  token: true,
  authToken: true,
  getToken: true,
  clientId: true,
  clientSecret: true,
  tokenEndpoint: true,
  dangerouslyAllowBrowser: true,
  authEndpoint: true,
  authHeaders: true,
  authParams: true,
  authRequestOptions: true,
  authAction: true,
  onAuthFailure: true,
};

const TOKEN_REQUEST: Record<keyof TokenRequest, true> = {
  reason: true,
  attempt: true,
  signal: true,
};

const SUBSCRIBE_OPTIONS: Record<keyof SubscribeOptions, true> = {
  topics: true,
  types: true,
  lastEventId: true,
  maxBufferedEvents: true,
  onEvent: true,
  onError: true,
  onConnected: true,
  onDisconnected: true,
  onGap: true,
};

const STATES: Record<ConnectionState, true> = {
  idle: true,
  authorizing: true,
  connecting: true,
  connected: true,
  reconnecting: true,
  suspended: true,
  failed: true,
  closed: true,
};

const ERROR_MEMBERS: Record<
  Exclude<keyof RealtimeError, 'name' | 'stack' | 'toJSON' | 'isCode'>,
  true
> = {
  code: true,
  message: true,
  recoverable: true,
  willRetry: true,
  status: true,
  requestId: true,
  retryAfterMs: true,
  cause: true,
};

/** The names in the first cells of a table; what stands in brackets behind a callback's name is not part of it. */
function namesIn(table: string): string[] {
  return tableRows(PAGE, table).flatMap(([cell = '']) =>
    [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name as string),
  );
}

describe('docs/sdk.md', () => {
  it.each([
    { table: 'connect-options', names: CONNECT_OPTIONS },
    { table: 'token-options', names: TOKEN_OPTIONS },
    { table: 'token-request', names: TOKEN_REQUEST },
    { table: 'subscribe-options', names: SUBSCRIBE_OPTIONS },
    { table: 'states', names: STATES },
    { table: 'error-members', names: ERROR_MEMBERS },
  ])('lists the $table as they are', ({ table, names }) => {
    expect(namesIn(table)).toEqual(Object.keys(names));
  });
});
