import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The folder of the repository, wherever this was built to. */
export const ROOT = dirname(
  dirname(createRequire(import.meta.url).resolve('@sluice/bench/package.json')),
);

/** Programs of peers, which are run as they are. */
export const PEER_PROGRAMS = join(ROOT, 'bench/peers/programs');
