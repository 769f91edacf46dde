import { type SpanContext, SpanStatusCode } from '@opentelemetry/api';
import { isOwnFault, type SluiceError } from '../errors.js';
import type { Principal } from '../gate/principal.js';
import { describeError } from '../ops/describe-error.js';
import type { Log } from '../ops/log.js';
import { attributeText, type RequestSpan, traceOf } from '../ops/tracing.js';

/** What is known of a request before anything is done with it. */
export interface RequestOutset {
  readonly method: string;
  /** A pattern of ours; `null` for any other address. */
  readonly route: string | null;
  /** As the caller names it, if that can be a name of a workspace. */
  readonly workspace: string | null;
  /** Only where the settings ask for it. */
  readonly address: string | null;
  readonly span: RequestSpan | null;
}

/** How a request ended. */
export interface RequestEnd {
  /** `null`: without an answer. */
  readonly status: number | null;
  readonly requestId: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * Stream tokens and client secrets are well-formed names of workspaces, of 43 characters and more. What nobody has vouched
 * for is told only if it is shorter.
 */
const MAX_UNPROVEN_LENGTH = 40;

/** What is told of one request: gathered on its way, written once. It is handed no URL, no header and no token. */
export class RequestRecord {
  private readonly startedAt = performance.now();
  private principal: Principal | null = null;
  private shownToken: string | null = null;
  private refusal: SluiceError | null = null;
  private events: number | null = null;
  private isWritten = false;

  constructor(
    private readonly outset: RequestOutset,
    private readonly log: Log,
  ) {}

  get span(): RequestSpan | null {
    return this.outset.span;
  }

  /** By which the end of a stream is found later; `null` where nothing is recorded. */
  get trace(): SpanContext | null {
    return traceOf(this.outset.span);
  }

  /** Whether anybody will read what is gathered of a request that is refused. */
  get isWanted(): boolean {
    return isEnabled(this.log, 'info');
  }

  identified(principal: Principal): void {
    this.principal = principal;
  }

  /** @param hash of a token that does not hold, or not for this */
  showed(hash: string): void {
    this.shownToken = hash;
  }

  published(events: number): void {
    this.events = events;
  }

  refused(error: SluiceError): void {
    this.refusal = error;
  }

  /** Writes its line, and ends its span. The first time counts. */
  write(end: RequestEnd, message = this.messageFor(end)): void {
    if (this.isWritten) return;
    this.isWritten = true;
    const { level } = this;
    // Before its span ends, which knows afterwards nothing of itself.
    if (isEnabled(this.log, level)) this.log[level](this.fieldsFor(end), message);
    this.endSpan(end);
  }

  /** A fault of the service or of what it leans on is not the caller's. */
  private get level(): 'info' | 'warn' | 'error' {
    if (this.refusal === null) return 'info';
    const { code, cause } = this.refusal;
    if (code === 'INTERNAL_ERROR') return 'error';
    return cause !== undefined && isOwnFault(code) ? 'warn' : 'info';
  }

  private messageFor({ status }: RequestEnd): string {
    if (status === null && this.refusal === null) return 'request abandoned';
    if (this.refusal === null)
      return status !== null && status >= 400 ? 'request refused' : 'request answered';
    return this.refusal.code === 'INTERNAL_ERROR' ? 'request failed' : 'request refused';
  }

  private fieldsFor({ status, requestId, bytesIn, bytesOut }: RequestEnd): object {
    const { method, route, address } = this.outset;
    const { subject, issuer, tokenHash = this.shownToken } = this.principal ?? {};
    const trace = this.trace;
    return withoutNulls({
      requestId,
      method,
      route,
      workspace: this.workspace,
      subject,
      issuer,
      tokenHash,
      code: this.refusal?.code,
      status,
      durationMs: Math.round((performance.now() - this.startedAt) * 10) / 10,
      bytesIn,
      bytesOut,
      events: this.events,
      address,
      detail: this.refusal?.message,
      cause: this.cause,
      traceId: trace?.traceId,
      spanId: trace?.spanId,
    });
  }

  private get workspace(): string | null {
    const { workspace } = this.outset;
    const isProven = workspace !== null && this.principal?.workspaces.includes(workspace) === true;
    return isProven || (workspace?.length ?? 0) <= MAX_UNPROVEN_LENGTH ? workspace : null;
  }

  private get cause(): object | undefined {
    const { refusal } = this;
    if (refusal?.cause === undefined) return undefined;
    return describeError(refusal.cause, { withStack: refusal.code === 'INTERNAL_ERROR' });
  }

  private endSpan({ status, requestId }: RequestEnd): void {
    const span = this.outset.span?.span;
    if (span === undefined) return;
    span.setAttribute('sluice.request_id', attributeText(requestId));
    const { workspace } = this;
    if (workspace !== null && this.principal !== null) {
      span.setAttribute('sluice.workspace', attributeText(workspace));
    }
    if (this.events !== null) span.setAttribute('sluice.events', this.events);
    if (status !== null) span.setAttribute('http.response.status_code', status);
    if (this.refusal !== null) span.setAttribute('error.type', this.refusal.code);
    if ((status ?? 0) >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }
}

function isEnabled(log: Log, level: 'info' | 'warn' | 'error'): boolean {
  return log.isLevelEnabled?.(level) ?? true;
}

function withoutNulls(fields: Record<string, unknown>): object {
  const kept: Record<string, unknown> = {};
  for (const name in fields) {
    const value = fields[name];
    if (value !== undefined && value !== null) kept[name] = value;
  }
  return kept;
}
