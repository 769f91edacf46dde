import type { Occupant } from './places.js';

/** The places of subjects and of workspaces, counted over all nodes. */
export interface SharedPlaces {
  /** @throws SluiceError RATE_LIMIT_EXCEEDED naming the limit, UNAVAILABLE; no place is taken then. */
  take(occupant: Occupant): Promise<void>;
  /** Gives back what was taken. Where the other nodes cannot be told now, they are told later. */
  give(occupant: Occupant): void;
  /** Gives everything back that is still taken. */
  close(): Promise<void>;
}
