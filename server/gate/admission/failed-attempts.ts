/** Counts the attempts of an address that failed, and lets it wait when there were too many. */
export interface FailedAttempts {
  /** @throws SluiceError RATE_LIMIT_EXCEEDED while the address has failed too often. */
  check(address: string): void;
  note(address: string): void;
}
