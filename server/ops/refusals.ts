import type { ServiceErrorCode } from '@sluice/protocol';

/** Counts what was refused. */
export class Refusals {
  private readonly byCode = new Map<ServiceErrorCode, number>();

  get counts(): ReadonlyMap<ServiceErrorCode, number> {
    return this.byCode;
  }

  count(code: ServiceErrorCode): void {
    this.byCode.set(code, (this.byCode.get(code) ?? 0) + 1);
  }
}
