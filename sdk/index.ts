export type {
  ErrorCode,
  RealtimeEvent,
  StreamConnected,
  StreamGap,
} from '@sluice/protocol';
export { RealtimeClient } from './client.js';
export type {
  ClientCredentialOptions,
  ConnectOptions,
  RealtimeClientOptions,
  TokenOptions,
} from './client-options.js';
export type { Backoff } from './connection/backoff.js';
export type { ConnectionState } from './connection/state.js';
export { RealtimeError, type RealtimeErrorDetails } from './errors.js';
export type {
  FetchLike,
  FetchLikeBody,
  FetchLikeInit,
  FetchLikeReader,
  FetchLikeResponse,
} from './fetch-like.js';
export type {
  Disconnection,
  EventContext,
  SubscribeOptions,
  Subscription,
} from './subscription.js';
