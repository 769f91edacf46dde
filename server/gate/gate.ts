import { isWorkspace } from '@sluice/protocol';
import type { QueryTokenRules } from '../config.js';
import { SluiceError } from '../errors.js';
import type { CountedVerifier } from './admission/counted-verifier.js';
import type { StreamTokens } from './admission/stream-tokens.js';
import type { PermissionQuestion } from './permission/permission-checker.js';
import type { Permissions } from './permission/permissions.js';
import type { Principal } from './principal.js';
import type { Revocations } from './revocation/revocations.js';
import type { StepWatch } from './step-watch.js';
import { type FoundToken, findToken, type TokenCarrier } from './token/find-token.js';

/** What the gate looks at of a request. */
export interface GateRequest extends TokenCarrier {
  /** As it stands in the address. */
  readonly workspace: string;
  /** Where the client is, as far as it is known: see TRUST_PROXY. */
  readonly address: string;
  /** The origin of the page that asks; `null` for a page of the service's own origin, and for what is no page. */
  readonly origin: string | null;
  readonly requestId: string;
}

export interface GateParts {
  readonly tokens: CountedVerifier;
  readonly permissions: Permissions;
  readonly revocations: Revocations;
  readonly streamTokens: StreamTokens;
  readonly queryTokens: QueryTokenRules;
  readonly clockToleranceSeconds: number;
  readonly steps: StepWatch;
}

/** The way in, for everything that is asked of a workspace: every step ends in the next one or in one typed error. */
export class Gate {
  constructor(private readonly parts: GateParts) {}

  /**
   * Token, claims, workspace and revocation: who asks, and is this their workspace?
   * @param options.redeemsStreamToken whether a one-time stream token may stand for the access token it was made with.
   * @throws SluiceError MISSING_TOKEN, INVALID_REQUEST, INVALID_TOKEN, TOKEN_EXPIRED, WORKSPACE_MISMATCH,
   *   RATE_LIMIT_EXCEEDED, AUTH_ERROR
   */
  identify(
    request: GateRequest,
    options: { redeemsStreamToken?: boolean } = {},
  ): Promise<Principal> {
    return this.parts.steps.watch('token', () =>
      this.principalIn(request, options.redeemsStreamToken === true),
    );
  }

  /**
   * Whether a principal that was let in before still stands: for right before something is done in its name, since a
   * body can be sent slowly.
   * @throws SluiceError INVALID_TOKEN if its token was revoked meanwhile, TOKEN_EXPIRED
   */
  checkStanding(principal: Principal, workspace: string): void {
    const { revocations, clockToleranceSeconds } = this.parts;
    revocations.check(principal, workspace);
    if (principal.expiresAt + clockToleranceSeconds <= Date.now() / 1_000) {
      throw new SluiceError('TOKEN_EXPIRED');
    }
  }

  /**
   * Asks whether the principal may do this. Returns the topic patterns it is narrowed to, or `null`.
   * @throws SluiceError FORBIDDEN, AUTH_ERROR
   */
  permit(question: PermissionQuestion): Promise<readonly string[] | null> {
    const { permissions, steps } = this.parts;
    return steps.watch('permission', () => permissions.permit(question));
  }

  private async principalIn(request: GateRequest, redeemsStreamToken: boolean): Promise<Principal> {
    const { workspace } = request;
    if (!isWorkspace(workspace)) {
      throw new SluiceError(
        'INVALID_REQUEST',
        'The workspace is not a name of 1 to 64 letters, digits, "_" and "-".',
      );
    }
    const found = findToken(request);
    const { revocations } = this.parts;
    const principal = await this.principalOf(found, request, redeemsStreamToken);
    if (!principal.workspaces.includes(workspace)) throw new SluiceError('WORKSPACE_MISMATCH');
    revocations.check(principal, workspace);
    return principal;
  }

  private async principalOf(
    found: FoundToken,
    request: GateRequest,
    redeemsStreamToken: boolean,
  ): Promise<Principal> {
    const { tokens, streamTokens } = this.parts;
    if (found.kind === 'access') {
      this.checkPlace(found);
      const principal = await tokens.verify(found.token, request.address);
      this.checkLifetime(found, principal);
      return principal;
    }
    if (!redeemsStreamToken) {
      throw new SluiceError('INVALID_TOKEN', 'A stream token is good for opening a stream alone.');
    }
    // Not counted: a browser shows its used stream token again whenever its EventSource reconnects, and nobody guesses
    // 256 bits.
    return streamTokens.redeem(found.token, request);
  }

  private checkPlace({ isInQuery }: FoundToken): void {
    if (isInQuery && !this.parts.queryTokens.areAccepted) {
      throw new SluiceError(
        'INVALID_REQUEST',
        'Access tokens are not accepted in the address here; use the Authorization header or a stream token.',
      );
    }
  }

  /** RFC 9700, section 4.3.2: what stands in an address gets into logs and histories, so it should not be good for long. */
  private checkLifetime({ isInQuery }: FoundToken, { issuedAt, expiresAt }: Principal): void {
    const { maxLifetimeSeconds } = this.parts.queryTokens;
    if (!isInQuery || maxLifetimeSeconds === null) return;
    const lifetimeSeconds = expiresAt - (issuedAt ?? Date.now() / 1_000);
    if (lifetimeSeconds > maxLifetimeSeconds) {
      throw new SluiceError(
        'INVALID_REQUEST',
        `An access token in the address may live ${maxLifetimeSeconds} seconds at the most; use the Authorization header or a stream token.`,
      );
    }
  }
}
