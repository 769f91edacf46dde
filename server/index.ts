export { ConfigError } from './config.js';
export { SluiceError } from './errors.js';
export type { DecidePermission } from './gate/permission/function-permission-checker.js';
export type {
  Decision,
  PermissionChecker,
  PermissionQuestion,
} from './gate/permission/permission-checker.js';
export type { Principal } from './gate/principal.js';
export type { Published, PublishedEvent } from './log/publisher.js';
export type { Log } from './ops/log.js';
export {
  createRealtimeRouter,
  type RealtimeRouter,
  type RealtimeRouterOptions,
} from './realtime-router.js';
export {
  createTokenIssuer,
  type TokenIssuer,
  type TokenIssuerOptions,
  type TokenResponse,
  type TokenResponseRequest,
} from './token-issuer.js';
