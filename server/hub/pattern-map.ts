/**
 * Values by pattern, found by a name that the pattern stands for. A name is looked up whole, and by each of its beginnings and
 * ends that are as long as those of some pattern: so a look-up grows with the lengths that there are, and not with the number of
 * patterns, whichever part of them is the same.
 */
export class PatternMap<Value> {
  private readonly values = new Map<string, Value>();
  /** Of the patterns with a star: how long what stands before it is, */
  private readonly starts = new Lengths();
  /** and for each such beginning how long what stands behind it is. */
  private readonly endsByStart = new Map<string, Lengths>();

  get size(): number {
    return this.values.size;
  }

  get(pattern: string): Value | undefined {
    return this.values.get(pattern);
  }

  /** @param pattern one that has no value yet */
  add(pattern: string, value: Value): void {
    this.values.set(pattern, value);
    const star = pattern.indexOf('*');
    if (star < 0) return;
    const start = pattern.slice(0, star);
    let ends = this.endsByStart.get(start);
    if (ends === undefined) {
      ends = new Lengths();
      this.endsByStart.set(start, ends);
      this.starts.add(star);
    }
    ends.add(pattern.length - star - 1);
  }

  delete(pattern: string): void {
    const star = pattern.indexOf('*');
    if (!this.values.delete(pattern) || star < 0) return;
    const start = pattern.slice(0, star);
    const ends = this.endsByStart.get(start) as Lengths;
    ends.remove(pattern.length - star - 1);
    if (ends.count > 0) return;
    this.endsByStart.delete(start);
    this.starts.remove(star);
  }

  /** Visits the values of all patterns that stand for `name`. */
  visit(name: string, visitor: (value: Value) => void): void {
    const exact = this.values.get(name);
    if (exact !== undefined) visitor(exact);
    this.starts.visitUpTo(name.length, (length) => {
      const start = name.slice(0, length);
      this.endsByStart.get(start)?.visitUpTo(name.length - length, (endLength) => {
        const value = this.values.get(`${start}*${name.slice(name.length - endLength)}`);
        if (value !== undefined) visitor(value);
      });
    });
  }
}

/** How many there are of each length. An array, since there are few lengths and very many of these. */
class Lengths {
  /** Each length, and behind it how many there are. */
  private counts: number[] = [];

  /** How many different lengths there are. */
  get count(): number {
    return this.counts.length / 2;
  }

  add(length: number): void {
    const at = this.indexOf(length);
    // An array that is pushed to takes room for 17.
    if (at < 0) this.counts = [...this.counts, length, 1];
    else (this.counts[at + 1] as number)++;
  }

  remove(length: number): void {
    const at = this.indexOf(length);
    (this.counts[at + 1] as number)--;
    if (this.counts[at + 1] === 0) this.counts.splice(at, 2);
  }

  visitUpTo(longest: number, visitor: (length: number) => void): void {
    for (let at = 0; at < this.counts.length; at += 2) {
      const length = this.counts[at] as number;
      if (length <= longest) visitor(length);
    }
  }

  private indexOf(length: number): number {
    for (let at = 0; at < this.counts.length; at += 2) if (this.counts[at] === length) return at;
    return -1;
  }
}
