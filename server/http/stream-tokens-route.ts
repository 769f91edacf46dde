import { PARAMETERS } from '@sluice/protocol';
import type { Request, Response } from 'express';
import { SluiceError } from '../errors.js';
import type { StreamTokens } from '../gate/admission/stream-tokens.js';
import type { Gate, GateRequest } from '../gate/gate.js';
import { gateRequestOf, identify } from './request.js';
import { recordOf } from './request-watch.js';

export interface StreamTokensParts {
  readonly gate: Gate;
  readonly streamTokens: StreamTokens;
}

/** `POST /realtime/workspace/:ws/stream-tokens` */
export function createStreamTokensRoute({ gate, streamTokens }: StreamTokensParts) {
  return async (request: Request, response: Response): Promise<void> => {
    const asked = gateRequestOf(request, response);
    checkPlace(asked);
    const { workspace, origin, requestId } = asked;
    const principal = await identify(gate, asked, recordOf(response));
    await gate.permit({
      principal,
      workspace,
      permission: 'realtime:subscribe',
      // Which topics it will be, the stream itself is asked.
      topics: null,
      mustBeFresh: false,
      requestId,
    });
    const { streamToken, expiresAtMs } = await streamTokens.issue(principal, { workspace, origin });
    response
      .status(201)
      .setHeader('Cache-Control', 'no-store')
      .setHeader('Referrer-Policy', 'no-referrer')
      .json({ streamToken, expiresAt: new Date(expiresAtMs).toISOString() });
  };
}

/** What keeps access tokens out of addresses takes none from an address. */
function checkPlace({ query }: GateRequest): void {
  if (query.has(PARAMETERS.accessToken)) {
    throw new SluiceError(
      'INVALID_REQUEST',
      'A stream token is asked for with the access token in the Authorization header.',
    );
  }
}
