import { type NextFunction, type Request, type Response, Router } from 'express';
import { compose, type Service } from './compose.js';
import { type Config, readGivenConfig } from './config.js';
import { SluiceError, spreadRetryMs } from './errors.js';
import type { DecidePermission } from './gate/permission/function-permission-checker.js';
import type { PermissionChecker } from './gate/permission/permission-checker.js';
import { createErrorHandler } from './http/error-handler.js';
import { ISSUER_PATHS } from './http/issuer-routes.js';
import { nameRequest } from './http/request-id.js';
import { RequestWatch } from './http/request-watch.js';
import type { Published } from './log/publisher.js';
import { describeError } from './ops/describe-error.js';
import { createLog, type Log } from './ops/log.js';
import type { Metrics } from './ops/metrics/metrics.js';

export interface RealtimeRouterOptions {
  /**
   * Settings by the names of docs/configuration.md, such as `{ TOKEN_ISSUER, TOKEN_AUDIENCE, DATA_DIR }`.
   * `process.env` will do; any other name that is no setting is refused. HOST, PORT, OPS_HOST, OPS_PORT, LOG_LEVEL, DRAIN_MS and TRUST_PROXY have no effect here:
   * listening, and whom Express trusts, is the application's. AUDIT_LOG is `off` here unless it is set.
   */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /**
   * Who may do what: a function that gives `true`, `false` or a decision, or an object with more to say of itself.
   * Default: what the settings say, which is the token itself unless they name somebody else.
   */
  readonly permissionChecker?: PermissionChecker | DecidePermission;
  /** Where requests and streams are told of; pino fits. Default: errors alone, on standard error. */
  readonly log?: Log;
}

/** Sluice as a part of an Express application. */
export interface RealtimeRouter extends Router {
  /** Resolves when the log is open. Requests before that wait. Rejects if it cannot be opened. */
  readonly ready: Promise<void>;
  /**
   * Publishes events in the short form (`topic`, `type`, `data`) without a request, so without the gate.
   * @throws SluiceError INVALID_REQUEST or PAYLOAD_TOO_LARGE naming the event's index, UNAVAILABLE.
   */
  publish(workspace: string, events: readonly unknown[]): Promise<Published>;
  /**
   * What Sluice counts and holds, in the text format of Prometheus (`text/plain; version=0.0.4; charset=utf-8`). Who may read
   * it is the application's to say. What is of the whole process (`process_*`, `nodejs_*`, the event loop) is not in it.
   * @throws SluiceError UNAVAILABLE
   */
  metrics(): Promise<string>;
  /** Sends the streams away, and lets go of the data folder. */
  close(): Promise<void>;
}

/**
 * Puts Sluice into an existing application: `app.use(createRealtimeRouter({ settings }))`.
 * @throws TypeError for options that cannot stand; ConfigError naming every setting that cannot.
 */
export function createRealtimeRouter(options: RealtimeRouterOptions): RealtimeRouter {
  if (options?.settings === undefined) throw new TypeError('"settings" must be given');
  const log = options.log ?? createLog('error');
  const { permissionChecker } = options;
  const config = readGivenConfig(withinApplication(options.settings));
  checkPermissionChecker(permissionChecker, config);
  const service = compose(config, log, { permissionChecker });
  const ready = service.then(() => {});
  // Whoever does not wait for `ready` is told by the answers to their requests, not by the end of the process.
  ready.catch((error: Error) =>
    log.error({ cause: describeError(error) }, 'the service cannot be opened'),
  );

  const watch = new RequestWatch({ log, tellsAddress: config.logsAddresses });
  const router = Router({ caseSensitive: true, strict: true });
  router.use((request: Request, response: Response, next: NextFunction) => {
    if (!isOurs(request.path, config)) {
      next();
      return;
    }
    watch.handler(request, response, () => {
      service.then(
        ({ routes }) => routes(request, response, next),
        (cause: unknown) => nameRequest(request, response, () => next(unavailable(cause))),
      );
    });
  });
  router.use(createErrorHandler());
  let isClosing = false;
  const openMetrics = async (): Promise<Metrics> => {
    const { vitals } = await service.catch(cannotServe);
    // Loaded when it is wanted: what writes metrics is large.
    const { Metrics } = await import('./ops/metrics/metrics.js');
    const phase = () => (isClosing ? 'draining' : 'serving');
    return new Metrics({ vitals, eventLoop: null, phase });
  };
  let metrics: Promise<Metrics> | null = null;
  return Object.assign(router, {
    ready,
    publish: async (workspace: string, events: readonly unknown[]) => {
      const { publisher } = await service.catch(cannotServe);
      return publisher.publish(workspace, publisher.read(workspace, events, 'short'));
    },
    metrics: async () => {
      metrics ??= openMetrics();
      return (await metrics).text();
    },
    close: async () => {
      isClosing = true;
      // Where the folder could not be opened, there is nothing to close.
      const opened = await service.catch(() => null);
      if (opened !== null) await close(opened);
    },
  });
}

function checkPermissionChecker(
  checker: RealtimeRouterOptions['permissionChecker'],
  { permissions }: Config,
): void {
  if (checker === undefined) return;
  if (typeof checker !== 'function' && typeof checker?.check !== 'function') {
    throw new TypeError('"permissionChecker" must be a function, or an object with "check"');
  }
  if (permissions.kind !== 'claims') {
    throw new TypeError('"permissionChecker" is given beside AUTHZEN_URL or POLICY_FILE');
  }
}

/** Standard error is the application's own; its metrics can be asked for without a port. */
function withinApplication(settings: RealtimeRouterOptions['settings']) {
  return { ...settings, AUDIT_LOG: settings['AUDIT_LOG']?.trim() || 'off', OPS_PORT: '0' };
}

function cannotServe(cause: unknown): never {
  throw unavailable(cause);
}

function unavailable(cause: unknown): SluiceError {
  return new SluiceError('UNAVAILABLE', undefined, { cause, retryAfterMs: spreadRetryMs(5_000) });
}

/** What belongs to the application goes its way without waiting for the log. */
function isOurs(path: string, { issuer }: Config): boolean {
  return path.startsWith('/realtime/') || (issuer !== null && ISSUER_PATHS.includes(path));
}

async function close({ hub, close: closeParts }: Service): Promise<void> {
  await hub.drain(0);
  await closeParts();
}
