import type { Request, Response } from 'express';
import type { StreamLimits } from '../config.js';
import { SluiceError } from '../errors.js';
import type { Gate } from '../gate/gate.js';
import { createFilter } from '../hub/filter.js';
import type { Hub } from '../hub/hub.js';
import type { Log } from '../ops/log.js';
import { type Opening, openStream } from '../stream/open-stream.js';
import type { OnClose } from '../stream/stream.js';
import { logRefusal, toSluiceError } from './error-handler.js';
import { streamProblem } from './problem.js';
import { carrierOf, workspaceOf } from './request.js';
import { requestIdOf } from './request-id.js';
import { readSubscription, wantsErrorsInStream } from './subscription.js';

export interface SubscribeParts {
  readonly gate: Gate;
  readonly hub: Hub;
  readonly log: Log;
  readonly limits: StreamLimits;
}

/** `GET /realtime/workspace/:ws/events` */
export function createSubscribeRoute(parts: SubscribeParts) {
  const onClose = createOnClose(parts);
  return async (request: Request, response: Response): Promise<void> => {
    const errorsInStream = wantsErrorsInStream(request);
    try {
      await subscribe(parts, request, response, onClose);
    } catch (error) {
      const refusal = toSluiceError(error);
      if (!errorsInStream || response.headersSent) throw refusal;
      logRefusal(parts.log, response, refusal);
      streamProblem(response, refusal);
    }
  };
}

async function subscribe(
  { gate, hub, limits }: SubscribeParts,
  request: Request,
  response: Response,
  onClose: OnClose,
): Promise<void> {
  const workspace = workspaceOf(request);
  const principal = await gate.identify(carrierOf(request), workspace);
  // The tolerance for clocks is for requests; a stream ends at `exp`, so there is none to open after it.
  if (principal.expiresAt * 1_000 <= Date.now()) throw new SluiceError('TOKEN_EXPIRED');
  const { topics, types, cursor } = readSubscription(request);
  const permitted = await gate.permit({
    principal,
    workspace,
    permission: 'realtime:subscribe',
    topics,
  });
  const opening: Opening = {
    workspace,
    subject: principal.subject,
    expiresAt: principal.expiresAt,
    filter: createFilter({ topics, types, permitted }),
    requestId: requestIdOf(response),
    retryMs: limits.retryMs,
  };
  await hub.subscribe(workspace, cursor, (start) =>
    openStream(request, response, opening, start, onClose),
  );
}

/** One function for all streams, made where no request is in sight: what it could see, each stream would keep alive. */
function createOnClose({ hub, log }: SubscribeParts): OnClose {
  return (stream, { code, bytes, openedAt }) => {
    hub.remove(stream);
    const { workspace, subject, requestId } = stream;
    const durationMs = Date.now() - openedAt;
    log.info({ workspace, subject, requestId, code, bytes, durationMs }, 'stream ended');
  };
}
