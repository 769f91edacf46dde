import type { Request, Response } from 'express';
import type { TokenRules } from '../config.js';
import { type Audit, auditedPrincipal } from '../gate/audit.js';
import type { Gate } from '../gate/gate.js';
import type { RevocationList } from '../gate/revocation/revocation-list.js';
import { createJsonBodyReader } from './json-body.js';
import { gateRequestOf, identify } from './request.js';
import { recordOf } from './request-watch.js';
import { readRevocation, revocationBody } from './revocation-request.js';

const MAX_BODY_BYTES = 8_192;

export interface RevocationsParts {
  readonly gate: Gate;
  readonly revocations: RevocationList;
  readonly audit: Audit;
  readonly tokens: Pick<TokenRules, 'trustedIssuers' | 'clockToleranceSeconds'>;
}

/** `POST /realtime/workspace/:ws/revocations` */
export function createRevocationsRoute({ gate, revocations, audit, tokens }: RevocationsParts) {
  const readBody = createJsonBodyReader(MAX_BODY_BYTES);
  const { trustedIssuers, clockToleranceSeconds } = tokens;
  const rules = { issuers: trustedIssuers.map(({ issuer }) => issuer), clockToleranceSeconds };

  return async (request: Request, response: Response): Promise<void> => {
    const asked = gateRequestOf(request, response);
    const { workspace, requestId } = asked;
    const principal = await identify(gate, asked, recordOf(response));
    await gate.permit({
      principal,
      workspace,
      permission: 'realtime:admin',
      topics: null,
      mustBeFresh: true,
      requestId,
    });
    const body = await readBody(request, response);
    gate.checkStanding(principal, workspace);
    const standing = await revocations.revoke(readRevocation(body, workspace, rules, Date.now()));

    const revocation = revocationBody(standing, revocations.forgottenAt(standing));
    audit.record({
      kind: 'revocation',
      requestId,
      workspace,
      ...auditedPrincipal(principal),
      revoked: revocation,
    });
    response.status(201).setHeader('Cache-Control', 'no-store').json({ revocation });
  };
}
