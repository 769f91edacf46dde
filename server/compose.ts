import { join } from 'node:path';
import { Router } from 'express';
import type { Config } from './config.js';
import { claimsPermissionChecker } from './gate/claims-permission-checker.js';
import { fetchJwks } from './gate/fetch-jwks.js';
import { Gate } from './gate/gate.js';
import { JwksKeySet } from './gate/jwks-key-set.js';
import { JwtTokenVerifier } from './gate/jwt-token-verifier.js';
import type { KeySet } from './gate/key-set.js';
import type { PermissionChecker } from './gate/permission-checker.js';
import { createIssuerRoutes } from './http/issuer-routes.js';
import { createRealtimeRoutes } from './http/realtime-routes.js';
import { Hub } from './hub/hub.js';
import { openClientStore } from './issuer/client-store.js';
import { type Issuer, openIssuer } from './issuer/issuer.js';
import { openLmdbEventLog } from './log/lmdb-event-log.js';
import { Publisher } from './log/publisher.js';
import { describeError, type Log } from './ops/log.js';

/** How long the tokens of the embedded issuer live, where the rules for tokens allow it. */
const TOKEN_LIFETIME_SECONDS = 900;

/** What an application may put in the place of a part of the service. */
export interface Substitutes {
  /** Default: the permissions that the token itself names. */
  readonly permissionChecker?: PermissionChecker | undefined;
}

/** The parts of a running service, put together. */
export interface Service {
  readonly routes: Router;
  readonly hub: Hub;
  readonly publisher: Publisher;
  /** Lets go of the data folder. */
  close(): Promise<void>;
}

/** The one place where adapters are chosen. @throws Error if the data folder cannot be used. */
export async function compose(
  config: Config,
  log: Log,
  substitutes: Substitutes = {},
): Promise<Service> {
  const issuer = config.issuerEnabled ? await openIssuerOf(config) : null;
  const clients = config.issuerEnabled ? await openClientStore(config) : null;
  // Last, since it is what must be let go of again.
  const eventLog = await openLmdbEventLog(join(config.dataDir, 'log'), config.retention);
  const gate = new Gate(
    new JwtTokenVerifier(keysOf(config, issuer, log), config.tokens),
    substitutes.permissionChecker ?? claimsPermissionChecker,
  );
  const hub = new Hub(eventLog, config.stream);
  const publisher = new Publisher(eventLog, config.publish);

  const routes = Router({ caseSensitive: true, strict: true });
  routes.use(createRealtimeRoutes({ gate, hub, publisher, log, config }));
  if (issuer !== null && clients !== null) {
    const lifetimeSeconds = Math.min(TOKEN_LIFETIME_SECONDS, config.tokens.maxLifetimeSeconds);
    const isExposed = config.issuerExposed;
    routes.use(createIssuerRoutes({ issuer, clients, isExposed, lifetimeSeconds, log }));
  }

  return {
    routes,
    hub,
    publisher,
    close: async () => {
      hub.close();
      await eventLog.close();
    },
  };
}

function openIssuerOf({ dataDir, tokens }: Config): Promise<Issuer> {
  const { issuer, audience, workspaceClaim } = tokens;
  return openIssuer({ dataDir, issuer, audience, workspaceClaim });
}

function keysOf({ jwksUri }: Config, issuer: Issuer | null, log: Log): KeySet {
  if (jwksUri !== null) {
    const keys = new JwksKeySet({
      fetch: () => fetchJwks(jwksUri),
      onFailure: (error) =>
        log.warn({ cause: describeError(error) }, 'the keys at JWKS_URI cannot be read'),
    });
    keys.prefetch();
    return keys;
  }
  if (issuer === null) throw new Error('neither an issuer nor a JWKS address is configured');
  // The embedded issuer is asked in the process, so nothing need be spared by a cool-down.
  return new JwksKeySet({ fetch: async () => issuer.jwks(), coolDownMs: 0 });
}
