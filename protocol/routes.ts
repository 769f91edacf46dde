/** Names of workspaces, compared exactly: `acme` and `Acme` are two workspaces. */
const WORKSPACE = /^[\w-]{1,64}$/;

/** Whether `text` can be the name of a workspace: 1 to 64 letters, digits, `_` and `-`. */
export function isWorkspace(text: string): boolean {
  return WORKSPACE.test(text);
}

/** Where a workspace's events are subscribed to (GET) and published (POST); `:ws` stands for its name. */
export const EVENTS_ROUTE = '/realtime/workspace/:ws/events';

/** Where an access token is exchanged for a one-time stream token (POST). */
export const STREAM_TOKENS_ROUTE = '/realtime/workspace/:ws/stream-tokens';

/** Where tokens are withdrawn before their time (POST). */
export const REVOCATIONS_ROUTE = '/realtime/workspace/:ws/revocations';

/** Where the events of a workspace are read and published. */
export function eventsPath(workspace: string): string {
  return pathOf(EVENTS_ROUTE, workspace);
}

/** Where a workspace gives out one-time stream tokens. */
export function streamTokensPath(workspace: string): string {
  return pathOf(STREAM_TOKENS_ROUTE, workspace);
}

/** Where tokens are revoked for a workspace. */
export function revocationsPath(workspace: string): string {
  return pathOf(REVOCATIONS_ROUTE, workspace);
}

function pathOf(route: string, workspace: string): string {
  return route.replace(':ws', encodeURIComponent(workspace));
}

// What every client needs stands apart, so that a page does not have to carry the rest.
/** The query parameter of the topics, separated by commas. */
export const TOPICS_PARAMETER = 'topics';
/** The query parameter of the types, separated by commas. */
export const TYPES_PARAMETER = 'types';

/** Query parameters of a subscription (docs/PROTOCOL.md, section 3). */
export const PARAMETERS = {
  accessToken: 'access_token',
  streamToken: 'stream_token',
  lastEventId: 'last_event_id',
  topics: TOPICS_PARAMETER,
  types: TYPES_PARAMETER,
  filter: 'filter',
  errors: 'errors',
} as const;

/** Most topics, or types, that one subscription may name. */
export const MAX_PATTERNS = 100;

/** The public keys of the embedded issuer. */
export const JWKS_PATH = '/.well-known/jwks.json';
/** Tokens by OAuth 2.0 client credentials. */
export const TOKEN_PATH = '/oauth/token';
/** What the embedded issuer says of itself (RFC 8414). */
export const METADATA_PATH = '/.well-known/oauth-authorization-server';
/** Tokens in the plain form `{ token, expiresAt }`. */
export const AUTH_TOKEN_PATH = '/auth/token';
/** What a token says. */
export const AUTH_VERIFY_PATH = '/auth/verify';

/** The content type of a stream. */
export const EVENT_STREAM_TYPE = 'text/event-stream';
/** The content type of a refusal (RFC 9457). */
export const PROBLEM_TYPE = 'application/problem+json';

/** The content types that are sent and understood. */
export const CONTENT_TYPES = {
  eventStream: EVENT_STREAM_TYPE,
  problem: PROBLEM_TYPE,
  json: 'application/json',
  cloudEvent: 'application/cloudevents+json',
  cloudEventBatch: 'application/cloudevents-batch+json',
} as const;
