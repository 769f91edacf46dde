/** Names of workspaces, compared exactly: `acme` and `Acme` are two workspaces. */
const WORKSPACE = /^[A-Za-z0-9_-]{1,64}$/;

export function isWorkspace(text: string): boolean {
  return WORKSPACE.test(text);
}

/** Where a workspace's events are subscribed to (GET) and published (POST); `:ws` stands for its name. */
export const EVENTS_ROUTE = '/realtime/workspace/:ws/events';

export function eventsPath(workspace: string): string {
  return EVENTS_ROUTE.replace(':ws', encodeURIComponent(workspace));
}

/** Query parameters of a subscription (docs/PROTOCOL.md, section 3). */
export const PARAMETERS = {
  accessToken: 'access_token',
  streamToken: 'stream_token',
  lastEventId: 'last_event_id',
  topics: 'topics',
  types: 'types',
  filter: 'filter',
  errors: 'errors',
} as const;

/** Most topics, or types, that one subscription may name. */
export const MAX_PATTERNS = 100;

export const JWKS_PATH = '/.well-known/jwks.json';
export const TOKEN_PATH = '/oauth/token';

export const CONTENT_TYPES = {
  eventStream: 'text/event-stream',
  problem: 'application/problem+json',
  json: 'application/json',
  cloudEvent: 'application/cloudevents+json',
  cloudEventBatch: 'application/cloudevents-batch+json',
} as const;
