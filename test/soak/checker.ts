import { type Cursor, parseCursor } from '@sluice/protocol';
import { type Ledger, nameOf, type Publication, type Taken } from './ledger.js';

/** What one subscriber got, held against what was published. */
export interface Verdict {
  delivered: number;
  /** Published behind its start, and neither delivered nor in a gap that it was told of. */
  lost: number;
  /** In a gap that it was told of. */
  missing: number;
  doubled: number;
  /** Behind one that was published later or a cursor that it was past, or at another cursor than its publisher was told. */
  disordered: number;
  /** Of another workspace, or of a topic that it did not ask for or may not see. */
  foreign: number;
  gaps: number;
}

interface Delivery {
  readonly publication: Publication;
  readonly cursor: string;
  /** Whether the stream had come to this cursor, or past it, before. */
  readonly isBack: boolean;
}

interface Hole {
  readonly from: Cursor;
  readonly to: Cursor;
}

export interface CheckerOptions {
  readonly workspace: string;
  /** Whether it asked for the topic, and may see it. */
  readonly wants: (topic: string) => boolean;
}

/** Takes down what one subscriber gets over all its streams. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #deliveries: Delivery[] = [];
  readonly #names = new Set<string>();
  readonly #holes: Hole[] = [];
  #start: Cursor | null = null;
  #reached: Cursor | null = null;

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** Where it began; the first one counts. */
  onStart(cursor: string): void {
    this.#start ??= parseCursor(cursor);
  }

  onEvent(publication: Publication, cursor: string): void {
    this.#deliveries.push({ publication, cursor, isBack: this.#isBack(cursor) });
    this.#reached = parseCursor(cursor);
    this.#names.add(nameOf(publication));
  }

  /** A cursor without an event, which says that there was none for this subscriber up to it. */
  onCursor(cursor: string): void {
    if (!this.#isBack(cursor)) this.#reached = parseCursor(cursor);
  }

  onGap(from: string, to: string): void {
    const [low, high] = [parseCursor(from), parseCursor(to)];
    this.#reached = high;
    if (low !== null && high !== null) this.#holes.push({ from: low, to: high });
  }

  has(publication: Publication): boolean {
    return this.#names.has(nameOf(publication));
  }

  /** Whether it should have got it by now. */
  awaits(taken: Taken): boolean {
    return this.#isDue(taken) && !this.has(taken) && !this.#isInHole(taken);
  }

  /** The cursors of what came before and behind one that did not come. */
  around(cursor: string): string {
    const offset = parseCursor(cursor)?.offset ?? 0;
    const behind = this.#deliveries.findIndex(
      (delivery) => (parseCursor(delivery.cursor)?.offset ?? 0) > offset,
    );
    const at = (index: number) => this.#deliveries[index]?.cursor ?? 'nothing';
    return behind < 0
      ? `${at(this.#deliveries.length - 1)}, nothing`
      : `${at(behind - 1)}, ${at(behind)}`;
  }

  /** What came more than once, with the cursors. */
  doubled(): string[] {
    const cursors = new Map<string, string[]>();
    for (const { publication, cursor } of this.#deliveries) {
      const name = nameOf(publication);
      cursors.set(name, [...(cursors.get(name) ?? []), cursor]);
    }
    return [...cursors].flatMap(([name, all]) =>
      all.length > 1 ? [`${name} at ${all.join(' and ')}`] : [],
    );
  }

  verdict(ledger: Ledger): Verdict {
    const isMine = ({ workspace, topic }: Publication) =>
      workspace === this.#options.workspace && this.#options.wants(topic);
    const mine = this.#deliveries.filter(({ publication }) => isMine(publication));
    const absent = ledger.taken.filter((taken) => this.#isDue(taken) && !this.has(taken));
    const missing = absent.filter((taken) => this.#isInHole(taken)).length;
    return {
      delivered: this.#deliveries.length,
      lost: absent.length - missing,
      missing,
      doubled: mine.length - new Set(mine.map(({ publication }) => nameOf(publication))).size,
      disordered: this.#countDisordered(mine, ledger),
      foreign: this.#deliveries.length - mine.length,
      gaps: this.#holes.length,
    };
  }

  #isDue({ workspace, topic, cursor }: Taken): boolean {
    const at = parseCursor(cursor);
    const start = this.#start;
    if (at === null || start === null || workspace !== this.#options.workspace) return false;
    // Of another epoch are those that were published before the log was lost, or after.
    return this.#options.wants(topic) && (at.epoch !== start.epoch || at.offset > start.offset);
  }

  #isBack(cursor: string): boolean {
    const [at, reached] = [parseCursor(cursor), this.#reached];
    return at !== null && at.epoch === reached?.epoch && at.offset <= reached.offset;
  }

  #isInHole({ cursor }: Taken): boolean {
    const at = parseCursor(cursor);
    if (at === null) return false;
    return this.#holes.some(({ from, to }) => {
      const isBehind = at.epoch === from.epoch && at.offset > from.offset;
      const isBefore = at.epoch === to.epoch && at.offset <= to.offset;
      return from.epoch === to.epoch ? isBehind && isBefore : isBehind || isBefore;
    });
  }

  #countDisordered(deliveries: readonly Delivery[], ledger: Ledger): number {
    const told = new Map(ledger.taken.map((taken) => [nameOf(taken), taken.cursor]));
    const newest = new Map<string, number>();
    const seen = new Set<string>();
    let count = 0;
    for (const { publication, cursor, isBack } of deliveries) {
      const { topic, n } = publication;
      const name = nameOf(publication);
      // One that comes twice counts as that.
      if (seen.has(name)) continue;
      seen.add(name);
      if (isBack) count++;
      // One that nobody answered for may come at any time.
      if (isBack || ledger.isUnknown(publication)) continue;
      const isLate = n < (newest.get(topic) ?? 0);
      const isElsewhere = told.has(name) && told.get(name) !== cursor;
      if (isLate || isElsewhere) count++;
      newest.set(topic, Math.max(n, newest.get(topic) ?? 0));
    }
    return count;
  }
}
