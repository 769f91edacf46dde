import type { ServiceErrorCode } from '@sluice/protocol';
import { SluiceError } from '../../errors.js';
import type { PermissionQuestion } from '../permission/permission-checker.js';
import type { RevocableToken } from '../revocation/revocations.js';
import type { Occupant } from './places.js';

/** What is open by an admission, and can be ended. */
export interface AdmissionHolder {
  end(code: ServiceErrorCode, detail: string): void;
}

/** The right of one stream to be open. */
export interface Admission {
  /** To be called right before the stream opens. @throws SluiceError saying why, if the right was withdrawn meanwhile. */
  check(): void;
  /** Names what is to be ended when the right is withdrawn; at once, if it already was. */
  heldBy(holder: AdmissionHolder): void;
  /** Gives the right back. Doing so twice is doing so once. */
  release(): void;
}

/** What is asked again of a stream whose permission may be withdrawn. */
export interface Recheckable {
  readonly question: PermissionQuestion;
  /** What the first answer narrowed it to. */
  readonly permitted: readonly string[] | null;
}

/** The fields of one admission. It keeps no more of the token than it needs: there are many of them. */
interface AdmittedStreamOptions {
  readonly token: RevocableToken;
  readonly workspace: string;
  readonly network: string;
  readonly recheckable: Recheckable | null;
  readonly onRelease: (stream: AdmittedStream) => void;
}

/** One stream that was let in. */
export class AdmittedStream implements Admission, Occupant, RevocableToken {
  readonly issuer: string;
  readonly subject: string;
  readonly clientId: string | null;
  readonly tokenId: string | null;
  readonly issuedAt: number | null;
  readonly workspace: string;
  readonly network: string;
  /** `null` where the permission cannot change. */
  readonly recheckable: Recheckable | null;
  /** When the permission is asked for again, in ms of the monotonic clock. The field belongs to the re-checks. */
  recheckAt = 0;
  /** Since when (by that clock) it should have been asked for, and nobody has answered; 0 if that is not so. Belongs to them too. */
  unansweredSince = 0;
  private readonly onRelease: AdmittedStreamOptions['onRelease'];
  private holder: AdmissionHolder | null = null;
  private withdrawal: { code: ServiceErrorCode; detail: string } | null = null;
  private isReleased = false;

  constructor({ token, workspace, network, recheckable, onRelease }: AdmittedStreamOptions) {
    this.issuer = token.issuer;
    this.subject = token.subject;
    this.clientId = token.clientId;
    this.tokenId = token.tokenId;
    this.issuedAt = token.issuedAt;
    this.workspace = workspace;
    this.network = network;
    this.recheckable = recheckable;
    this.onRelease = onRelease;
  }

  /** Whether nothing that is learnt of it matters any more. */
  get isOver(): boolean {
    return this.isReleased || this.withdrawal !== null;
  }

  check(): void {
    if (this.withdrawal === null) return;
    throw new SluiceError(this.withdrawal.code, this.withdrawal.detail);
  }

  heldBy(holder: AdmissionHolder): void {
    this.holder = holder;
    if (this.withdrawal !== null) holder.end(this.withdrawal.code, this.withdrawal.detail);
  }

  /** Takes the right away. The place stays taken until the stream has closed. */
  withdraw(code: ServiceErrorCode, detail: string): void {
    if (this.isOver) return;
    this.withdrawal = { code, detail };
    this.holder?.end(code, detail);
  }

  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.holder = null;
    this.onRelease(this);
  }
}
