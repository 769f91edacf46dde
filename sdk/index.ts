export type {
  ErrorCode,
  RealtimeEvent,
  StreamConnected,
  StreamGap,
} from '@sluice/protocol';
export type { AuthEndpoint, Given } from './auth/auth-endpoint.js';
export type { TokenAnswer, TokenProvider } from './auth/provided-token.js';
export {
  RemoteCredentials,
  type RemoteCredentialsFactory,
  type RemoteCredentialsOptions,
} from './auth/remote-credentials.js';
export type { RemoteRequestOptions } from './auth/remote-token.js';
export { StopRetrying } from './auth/stop-retrying.js';
export type { AuthActionRequest, TokenOptions } from './auth/token-options.js';
export type { TokenRequest } from './auth/token-source.js';
export { RealtimeClient } from './client.js';
export type { ConnectOptions, RealtimeClientOptions } from './client-options.js';
export type { Backoff } from './connection/backoff.js';
export type { ConnectionState } from './connection/state.js';
export { RealtimeError, type RealtimeErrorDetails } from './errors.js';
export type {
  FetchLike,
  FetchLikeBody,
  FetchLikeInit,
  FetchLikeReader,
  FetchLikeResponse,
} from './http/fetch-like.js';
export type {
  Disconnection,
  EventContext,
  ReceivedEvent,
  StartContext,
  SubscribeOptions,
  Subscription,
} from './subscription/subscribe-options.js';
