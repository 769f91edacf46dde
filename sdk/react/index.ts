'use client';

export type { OwnClientOptions } from './own-client.js';
export type { SubscriptionSnapshot, UseSubscriptionOptions } from './own-subscription.js';
export { RealtimeProvider, type RealtimeProviderProps, useRealtime } from './realtime-provider.js';
export { type ConnectionSnapshot, useConnection } from './use-connection.js';
export { useSubscription } from './use-subscription.js';
