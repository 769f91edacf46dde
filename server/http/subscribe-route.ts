import { PARAMETERS } from '@sluice/protocol';
import type { Request, Response } from 'express';
import type { StreamLimits } from '../config.js';
import { SluiceError } from '../errors.js';
import type { Admissions } from '../gate/admission/admissions.js';
import type { Gate, GateRequest } from '../gate/gate.js';
import type { PermissionQuestion } from '../gate/permission/permission-checker.js';
import { createFilter } from '../hub/filter.js';
import type { Hub } from '../hub/hub.js';
import type { Log } from '../ops/log.js';
import type { Refusals } from '../ops/refusals.js';
import { traced } from '../ops/tracing.js';
import { type Opening, openStream } from '../stream/open-stream.js';
import type { OnClose, Stream } from '../stream/stream.js';
import { noteRefusal, toSluiceError } from './error-handler.js';
import { streamProblem } from './problem.js';
import { gateRequestOf, identify } from './request.js';
import { recordOf, writeOpening } from './request-watch.js';
import { tellStreamEnd } from './stream-end.js';
import { readSubscription, wantsErrorsInStream } from './subscription.js';

export interface SubscribeParts {
  readonly gate: Gate;
  readonly admissions: Admissions;
  readonly hub: Hub;
  readonly refusals: Refusals;
  readonly log: Log;
  readonly limits: StreamLimits;
}

/** `GET /realtime/workspace/:ws/events` */
export function createSubscribeRoute(parts: SubscribeParts) {
  const onClose = createOnClose(parts);
  return async (request: Request, response: Response): Promise<void> => {
    const asked = gateRequestOf(request, response);
    const errorsInStream = wantsErrorsInStream(asked.query);
    try {
      await subscribe(parts, request, response, asked, onClose);
    } catch (error) {
      const refusal = toSluiceError(error);
      if (!errorsInStream || response.headersSent) throw refusal;
      noteRefusal(response, refusal, parts.refusals);
      streamProblem(response, refusal);
    }
  };
}

async function subscribe(
  { gate, admissions, hub, limits }: SubscribeParts,
  request: Request,
  response: Response,
  asked: GateRequest,
  onClose: OnClose,
): Promise<void> {
  const { workspace, address, requestId } = asked;
  const record = recordOf(response);
  const principal = await identify(gate, asked, record, { redeemsStreamToken: true });
  // Not before it is known who asks: whoever has no token could keep everybody out.
  admissions.openings.enter();
  const { subject, issuer, tokenHash, expiresAt } = principal;
  // The tolerance for clocks is for requests; a stream ends at `exp`, so there is none to open after it.
  if (expiresAt * 1_000 <= Date.now()) throw new SluiceError('TOKEN_EXPIRED');
  const { topics, types, cursor } = readSubscription(request, asked.query);
  const question: PermissionQuestion = {
    principal,
    workspace,
    permission: 'realtime:subscribe',
    topics,
    // History holds what was published before a permission was withdrawn: it is not given out on an old decision. Nor is
    // a stream token, which was itself given on a decision, the way around a new one.
    mustBeFresh: cursor !== null || asked.query.has(PARAMETERS.streamToken),
    requestId,
  };
  const permitted = await gate.permit(question);
  const filter = createFilter({ topics, types, permitted });
  const admission = await admissions.admit({ question, permitted, address });
  const opening: Opening = {
    workspace,
    subject,
    issuer,
    tokenHash: tokenHash ?? null,
    expiresAt,
    filter,
    requestId,
    admission,
    retryMs: limits.retryMs,
    trace: record?.trace ?? null,
  };
  let stream: Stream | null = null;
  try {
    await traced('stream open', () =>
      hub.subscribe(workspace, cursor, (start) => {
        admission.check();
        stream = openStream(request, response, opening, start, onClose);
        if (stream !== null) admission.heldBy(stream);
        return stream;
      }),
    );
    if (stream !== null) writeOpening(request, response);
  } finally {
    if (stream === null) admission.release();
  }
}

/** One function for all streams, made where no request is in sight: what it could see, each stream would keep alive. */
function createOnClose({ hub, log }: SubscribeParts): OnClose {
  return (stream, end) => {
    const cursor = hub.cursorOf(stream);
    hub.remove(stream);
    stream.admission.release();
    tellStreamEnd(log, stream, end, cursor);
  };
}
