import type { SluiceError } from '../../../errors.js';

/** What somebody else has written under a key, or what becomes of a slot that is on its way to another server. */
const OF_ONE_KEY = /^(WRONGTYPE|ERR|ASK|CLUSTERDOWN|MOVED|TRYAGAIN) /;

/** Whether Redis has said something of one key, which says nothing of the others. */
export function isOfOneKey(error: unknown): boolean {
  const { cause } = error as SluiceError;
  return cause instanceof Error && OF_ONE_KEY.test(cause.message);
}
