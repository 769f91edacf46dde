import type { AdmissionLimits, RecheckRules } from '../../config.js';
import { inTurns } from '../in-turns.js';
import type { PermissionQuestion } from '../permission/permission-checker.js';
import type { Permissions } from '../permission/permissions.js';
import type { RevocableToken, Revocations } from '../revocation/revocations.js';
import { type StepWatch, unwatched } from '../step-watch.js';
import { type Admission, AdmittedStream } from './admitted-stream.js';
import { networkOf } from './network.js';
import { OpeningRate } from './opening-rate.js';
import { Places } from './places.js';
import { Rechecks } from './rechecks.js';
import type { SharedPlaces } from './shared-places.js';

/** What is let in, with the question that was answered for it. */
export interface AdmissionRequest {
  readonly question: PermissionQuestion;
  /** What the answer narrowed it to. */
  readonly permitted: readonly string[] | null;
  readonly address: string;
}

/** Revocations that tell when there are more of them. */
export interface FollowedRevocations extends Revocations {
  isRevoked(token: RevocableToken, workspace: string): boolean;
  onRevoked(tell: (workspace: string) => void): void;
}

export interface AdmissionsParts {
  readonly limits: AdmissionLimits;
  readonly recheck: RecheckRules;
  readonly permissions: Permissions;
  readonly revocations: FollowedRevocations;
  /** What is counted over all nodes; `null`: there is one node. */
  readonly sharedPlaces?: SharedPlaces | null;
  /** Default: nobody looks. */
  readonly steps?: StepWatch;
  /** Told, now and then, why a permission could not be asked for again. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Every stream that was let in, for as long as it is in: how many there may be, whether they still may, and who must
 * leave because a token was revoked.
 */
export class Admissions {
  private readonly byWorkspace = new Map<string, Set<AdmittedStream>>();
  /** How many streams a second may be opened. */
  readonly openings: OpeningRate;
  private readonly places: Places;
  private readonly sharedPlaces: SharedPlaces | null;
  /** `null` where permissions do not change while a token lives. */
  private readonly rechecks: Rechecks | null;
  private readonly revocations: FollowedRevocations;
  private readonly steps: StepWatch;
  private readonly onRelease = (stream: AdmittedStream) => {
    this.remove(stream);
    this.sharedPlaces?.give(stream);
  };
  private readonly toSearch = new Set<string>();
  private isSearching = false;

  constructor(parts: AdmissionsParts) {
    const { limits, recheck, permissions, revocations, sharedPlaces, steps, onFailure } = parts;
    this.openings = new OpeningRate(limits.maxOpensPerSecond);
    this.places = new Places(limits);
    this.sharedPlaces = sharedPlaces ?? null;
    this.rechecks = permissions.canChange
      ? new Rechecks(recheck, permissions, onFailure ?? (() => {}))
      : null;
    this.revocations = revocations;
    this.steps = steps ?? unwatched;
    revocations.onRevoked((workspace) => void this.endRevoked(workspace));
  }

  /** @throws SluiceError RATE_LIMIT_EXCEEDED, UNAVAILABLE, INVALID_TOKEN if the token was revoked meanwhile. */
  admit(request: AdmissionRequest): Promise<Admission> {
    return this.steps.watch('places', () => this.takePlace(request));
  }

  /** Streams whose permission cannot be asked for again. */
  get failingRechecks(): number {
    return this.rechecks?.failing ?? 0;
  }

  private async takePlace({ question, permitted, address }: AdmissionRequest): Promise<Admission> {
    const { principal, workspace } = question;
    this.revocations.check(principal, workspace);
    const stream = new AdmittedStream({
      token: principal,
      workspace,
      network: networkOf(address),
      recheckable: this.rechecks === null ? null : { question, permitted },
      onRelease: this.onRelease,
    });
    this.add(stream);
    try {
      await this.sharedPlaces?.take(stream);
      return stream;
    } catch (error) {
      this.remove(stream);
      throw error;
    }
  }

  close(): void {
    this.rechecks?.close();
  }

  private add(stream: AdmittedStream): void {
    const { workspace } = stream;
    this.places.take(stream);
    const streams = this.byWorkspace.get(workspace) ?? new Set();
    this.byWorkspace.set(workspace, streams.add(stream));
    this.rechecks?.add(stream);
  }

  private remove(stream: AdmittedStream): void {
    this.places.give(stream);
    this.rechecks?.remove(stream);
    const streams = this.byWorkspace.get(stream.workspace);
    if (streams?.delete(stream) && streams.size === 0) this.byWorkspace.delete(stream.workspace);
  }

  /** One search at a time, however many revocations come: each search looks at all that stand. */
  private async endRevoked(workspace: string): Promise<void> {
    this.toSearch.add(workspace);
    if (this.isSearching) return;
    this.isSearching = true;
    for (const name of this.toSearch) {
      // Before the search, so that one that is asked for during it begins anew.
      this.toSearch.delete(name);
      await inTurns(this.byWorkspace.get(name) ?? [], (stream) => {
        if (this.revocations.isRevoked(stream, name)) {
          stream.withdraw('INVALID_TOKEN', 'The token was revoked.');
        }
      });
    }
    this.isSearching = false;
  }
}
