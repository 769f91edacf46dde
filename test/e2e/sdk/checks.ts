// The least that scenarios need of a test library, for the place where there is none: a page.

/** @throws Error unless both are the same as JSON. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (seen !== wanted) throw new Error(`${what}: expected ${wanted}, but there was ${seen}`);
}

/** @throws Error unless `isSo`. */
export function holds(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`does not hold: ${what}`);
}

/** @throws Error unless the numbers are 1, 2, 3 … `last`, without hole or double. */
export function countsTo(last: number, numbers: readonly number[]): void {
  const at = numbers.findIndex((number, index) => number !== index + 1);
  if (at >= 0) throw new Error(`${numbers[at]} stands where ${at + 1} belongs`);
  equal(numbers.length, last, 'the count of events');
}

/** What `act` throws. */
export async function thrownBy(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
