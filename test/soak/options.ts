import { parseArgs } from 'node:util';

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  /** One node with the embedded log, in place of three on one Redis. */
  readonly isEmbedded: boolean;
}

const DEFAULT_MINUTES = 10;
const MOST_MINUTES = 24 * 60;

/** `--minutes` (or SOAK_MINUTES), `--seed`, `--embedded`. @throws Error for what cannot stand. */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): SoakOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      embedded: { type: 'boolean', default: false },
    },
  });
  const minutes = Number(values.minutes ?? env['SOAK_MINUTES'] ?? DEFAULT_MINUTES);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!(minutes > 0 && minutes <= MOST_MINUTES)) {
    throw new Error(`--minutes must be a number up to ${MOST_MINUTES}`);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('--seed must be a whole number');
  return { minutes, seed, isEmbedded: values.embedded };
}
