import type { Revocation } from '../revocation.js';
import { decodeRevocation } from './revocation-text.js';

/** What changed behind a place. */
export interface Changes {
  /** The changes of another history are told from its start. */
  readonly history: string;
  readonly changes: readonly { readonly place: number; readonly text: string }[];
  /** Whether there may be more behind them. */
  readonly isCut: boolean;
}

export interface RevocationFollower {
  tell(revocation: Revocation): void;
  held(): Iterable<Revocation>;
}

export interface ReaderOptions {
  readonly follower: RevocationFollower;
  readonly read: (history: string, after: number) => Promise<Changes>;
  /** Told of what cannot be read once everything was read. */
  readonly onFailure: (error: unknown) => void;
}

/** Tells a follower of every change, by its place in the order of all. */
export class RevocationReader {
  readonly follower: RevocationFollower;
  private history = '';
  private place = 0;
  /** Places behind `place` that the follower has been told of already. */
  private readonly toldAhead = new Set<number>();
  private reading: Promise<void> | null = null;
  /** Whether there may be more than what is being read. */
  private mayLack = false;
  private hasReadAll = false;
  private histories = 0;

  constructor(private readonly options: ReaderOptions) {
    this.follower = options.follower;
  }

  /** How often what was read before may have been lost: by a restart of Redis, a fail-over, or because it was emptied. */
  get lossCount(): number {
    return Math.max(0, this.histories - 1);
  }

  /** How many places are remembered that reading has not come to yet. */
  get toldAheadCount(): number {
    return this.toldAhead.size;
  }

  /** Resolves when the follower was told of everything that was kept at the time of the call. @throws SluiceError UNAVAILABLE */
  readOn(): Promise<void> {
    if (this.reading !== null) {
      this.mayLack = true;
      return this.reading;
    }
    this.reading = this.readAll().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  /** Tells of a change that was made here, unless it was read already. */
  tellAhead(history: string, place: number, revocation: Revocation): void {
    if (history === this.history) {
      if (place <= this.place || this.toldAhead.has(place)) return;
      this.toldAhead.add(place);
    }
    this.follower.tell(revocation);
  }

  private async readAll(): Promise<void> {
    let isCut = false;
    do {
      this.mayLack = false;
      const read = await this.options.read(this.history, this.place);
      isCut = read.isCut;
      this.take(read);
    } while (isCut || this.mayLack);
    this.hasReadAll = true;
  }

  private take({ history, changes }: Changes): void {
    if (history !== this.history) {
      this.history = history;
      this.place = 0;
      this.histories++;
      this.toldAhead.clear();
    }
    for (const { place, text } of changes) {
      if (!this.toldAhead.has(place)) this.tell(text);
      this.place = place;
    }
    // Also those that are never read, since what they were about has a newer place.
    for (const place of this.toldAhead) if (place <= this.place) this.toldAhead.delete(place);
  }

  private tell(text: string): void {
    let revocation: Revocation;
    try {
      revocation = decodeRevocation(text);
    } catch (error) {
      if (!this.hasReadAll) throw damaged(error);
      // Those behind it count all the same.
      this.options.onFailure(error);
      return;
    }
    this.follower.tell(revocation);
  }
}

function damaged(cause: unknown): Error {
  return new Error(
    'the revocations in Redis cannot be read: restore Redis from a copy, or remove them, after which tokens that were revoked enter again until they expire',
    { cause },
  );
}
