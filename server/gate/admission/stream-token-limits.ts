import { SluiceError, spreadRetryMs } from '../../errors.js';

/** How many tokens may wait for their use. */
export interface StreamTokenLimits {
  readonly maxTokens: number;
  readonly maxPerWorkspace: number;
  readonly maxPerSubject: number;
}

/** No workspace can use up what others need, and no subject what its workspace needs. */
export const STREAM_TOKEN_LIMITS: StreamTokenLimits = {
  maxTokens: 100_000,
  maxPerWorkspace: 20_000,
  maxPerSubject: 100,
};

const RETRY_MS = 5_000;

export function tooManyStreamTokens(owner: 'subject' | 'workspace' | 'service'): SluiceError {
  return new SluiceError(
    'RATE_LIMIT_EXCEEDED',
    `Too many stream tokens of this ${owner} wait for their use.`,
    { retryAfterMs: spreadRetryMs(RETRY_MS) },
  );
}
