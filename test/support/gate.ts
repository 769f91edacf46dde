import type { AdmissionLimits } from '../../server/config.js';
import { SluiceError } from '../../server/errors.js';
import { CountedVerifier } from '../../server/gate/admission/counted-verifier.js';
import type { FailedAttempts } from '../../server/gate/admission/failed-attempts.js';
import { silentAudit } from '../../server/gate/audit.js';
import { Gate, type GateParts, type GateRequest } from '../../server/gate/gate.js';
import { claimsPermissionChecker } from '../../server/gate/permission/claims-permission-checker.js';
import type { PermissionQuestion } from '../../server/gate/permission/permission-checker.js';
import { Permissions } from '../../server/gate/permission/permissions.js';
import type { Principal } from '../../server/gate/principal.js';
import { unwatched } from '../../server/gate/step-watch.js';
import type { TokenVerifier } from '../../server/gate/token/token-verifier.js';

// Parts of the gate that a test is not about, each as plain as it can be.

export const ALICE: Principal = {
  subject: 'alice',
  issuer: 'https://issuer.test',
  clientId: null,
  tokenId: null,
  issuedAt: null,
  workspaces: ['acme'],
  expiresAt: 4_102_444_800,
  claims: {},
};

export const QUESTION: PermissionQuestion = {
  principal: ALICE,
  workspace: 'acme',
  permission: 'realtime:subscribe',
  topics: ['orders'],
  mustBeFresh: false,
  requestId: 'r1',
};

/** A request by Authorization header, unless told otherwise. */
export function gateRequest(parts: Partial<GateRequest> = {}): GateRequest {
  return {
    workspace: 'acme',
    authorization: ['Bearer abc'],
    query: new URLSearchParams(),
    address: '192.0.2.1',
    origin: null,
    requestId: 'r1',
    ...parts,
  };
}

export const NO_LIMITS: AdmissionLimits = {
  maxStreams: 1_000_000,
  maxStreamsPerSubject: null,
  maxStreamsPerWorkspace: null,
  maxStreamsPerAddress: null,
  maxFailedAttemptsPerMinute: null,
  maxOpensPerSecond: null,
};

interface TestGateParts extends Partial<GateParts> {
  readonly verifier?: TokenVerifier;
  readonly failedAttempts?: FailedAttempts;
}

/** A gate that takes every token for one of alice, and revokes and counts nothing. */
export function testGate({
  verifier = { verify: async () => ALICE, remembers: () => false },
  failedAttempts = { check() {}, note() {} },
  ...parts
}: TestGateParts = {}): Gate {
  return new Gate({
    tokens: new CountedVerifier(verifier, failedAttempts),
    permissions: new Permissions(claimsPermissionChecker, silentAudit),
    revocations: { check() {} },
    streamTokens: {
      issue: () => Promise.reject(new SluiceError('UNAVAILABLE')),
      redeem: () => Promise.reject(new SluiceError('INVALID_TOKEN')),
    },
    queryTokens: { areAccepted: true, maxLifetimeSeconds: null },
    steps: unwatched,
    clockToleranceSeconds: 5,
    ...parts,
  });
}
