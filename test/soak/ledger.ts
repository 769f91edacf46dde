/** Events that one publisher published to one topic carry 1, 2, 3, … */
export interface Publication {
  readonly workspace: string;
  readonly topic: string;
  readonly n: number;
}

/** A publication that was answered 2xx. */
export interface Taken extends Publication {
  readonly cursor: string;
  /** When it was answered, in ms since 1970. */
  readonly at?: number;
}

/** What became of all that was published. */
export class Ledger {
  readonly taken: Taken[] = [];
  readonly #unknown = new Set<string>();

  take(publication: Publication, cursor: string): void {
    this.taken.push({ ...publication, cursor, at: Date.now() });
  }

  /** It was never answered 2xx: nobody knows whether it was published. */
  giveUp(publication: Publication): void {
    this.#unknown.add(nameOf(publication));
  }

  isUnknown(publication: Publication): boolean {
    return this.#unknown.has(nameOf(publication));
  }

  get unknown(): number {
    return this.#unknown.size;
  }
}

export function nameOf({ workspace, topic, n }: Publication): string {
  return `${workspace}/${topic}/${n}`;
}
