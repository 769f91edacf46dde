import type { IBreaker } from 'cockatiel';

/** Opens after failures in a row that were of several subjects: what fails for one alone says nothing of the others. */
export class SeveralSubjectsBreaker implements IBreaker {
  /** Whose calls have failed since the last success. */
  readonly state = new Set<string>();

  constructor(private readonly subjectsToOpen: number) {}

  /** To be called before the failure leaves the call. */
  failedFor(subject: string): void {
    if (this.state.size < this.subjectsToOpen) this.state.add(subject);
  }

  success(): void {
    this.state.clear();
  }

  failure(): boolean {
    return this.state.size >= this.subjectsToOpen;
  }
}
