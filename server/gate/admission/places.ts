import type { AdmissionLimits } from '../../config.js';
import { SluiceError, spreadRetryMs } from '../../errors.js';

/** Mean time after which a place may have become free. */
const RETRY_MS = 5_000;

/** What streams share, so that there may be only so many of them. */
export interface Occupant {
  readonly issuer: string;
  readonly subject: string;
  readonly workspace: string;
  readonly network: string;
}

/** How many streams are open, in all and of each kind. Nobody's place is given to somebody else. */
export class Places {
  private taken = 0;
  /**
   * Two issuers may each have an alice. By name within each, so that no subject is written down a second time; those who
   * issue are few, and stay.
   */
  private readonly byIssuer = new Map<string, Tally>();
  private readonly byWorkspace = new Tally();
  private readonly byNetwork = new Tally();

  constructor(private readonly limits: AdmissionLimits) {}

  /** @throws SluiceError RATE_LIMIT_EXCEEDED naming the limit; no place is taken then. */
  take(occupant: Occupant): void {
    const { maxStreams, maxStreamsPerSubject, maxStreamsPerWorkspace, maxStreamsPerAddress } =
      this.limits;
    const { issuer, subject, workspace, network } = occupant;
    const subjects = this.byIssuer.get(issuer) ?? new Tally();
    if (this.taken >= maxStreams) throw full('This node');
    if (this.byWorkspace.of(workspace) >= bound(maxStreamsPerWorkspace))
      throw full('The workspace');
    if (this.byNetwork.of(network) >= bound(maxStreamsPerAddress)) throw full('This address');
    if (subjects.of(subject) >= bound(maxStreamsPerSubject)) throw full('The subject');
    this.taken++;
    this.byWorkspace.add(workspace, 1);
    this.byNetwork.add(network, 1);
    subjects.add(subject, 1);
    this.byIssuer.set(issuer, subjects);
  }

  give({ issuer, subject, workspace, network }: Occupant): void {
    this.taken--;
    this.byWorkspace.add(workspace, -1);
    this.byNetwork.add(network, -1);
    this.byIssuer.get(issuer)?.add(subject, -1);
  }

  /** How many counts are kept: none for what nobody occupies. */
  get countsKept(): number {
    const { byIssuer, byWorkspace, byNetwork } = this;
    let count = byWorkspace.size + byNetwork.size;
    for (const subjects of byIssuer.values()) count += subjects.size;
    return count;
  }
}

/** Counts by name; what has come down to nought is forgotten. */
class Tally {
  private readonly counts = new Map<string, number>();

  get size(): number {
    return this.counts.size;
  }

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  add(name: string, change: 1 | -1): void {
    const count = this.of(name) + change;
    if (count === 0) this.counts.delete(name);
    else this.counts.set(name, count);
  }
}

function bound(limit: number | null): number {
  return limit ?? Number.POSITIVE_INFINITY;
}

/** The refusal that names whose limit was reached. */
export function full(whose: string): SluiceError {
  return new SluiceError('RATE_LIMIT_EXCEEDED', `${whose} has as many streams as it may.`, {
    retryAfterMs: spreadRetryMs(RETRY_MS),
  });
}
