import {
  isServiceErrorCode,
  type Problem,
  SERVICE_ERROR_TITLES,
  SERVICE_ERRORS,
  type ServiceErrorCode,
} from '@sluice/protocol';
import { readAnswerText } from './answer-text.js';

/** Why the service said no, as far as its answer tells. */
export interface Refusal {
  /** A code of the protocol, or what stands in its place where something else answered (a proxy). */
  readonly code: string;
  readonly detail: string;
  readonly recoverable: boolean;
  readonly retryAfterMs: number | undefined;
}

// docs/PROTOCOL.md, section 6.1: what is no code of the protocol is judged by its status.
const RECOVERABLE_STATUSES = [408, 425, 429];

/** Reads the refusal that an HTTP answer is; its body may be anything, and of any length. */
export async function readRefusal(answer: Response): Promise<Refusal> {
  const problem = parseProblem(await readAnswerText(answer));
  if (problem !== null) return { ...problem, retryAfterMs: problem.retryAfterMs ?? after(answer) };
  return {
    code: `HTTP ${answer.status}`,
    detail: answer.statusText || 'the answer is not from Sluice',
    recoverable: RECOVERABLE_STATUSES.includes(answer.status) || answer.status >= 500,
    retryAfterMs: after(answer),
  };
}

/**
 * Reads the data of `stream.error`; `null` where they are no problem. Section 6.1: "In `stream.error`, where there may be
 * no status, an unknown code counts as recoverable."
 */
export function parseStreamError(text: string): Refusal | null {
  const problem = membersOf(text);
  const { code } = problem;
  if (isServiceErrorCode(code)) return refusalOf(problem, code, entryOf(code));
  if (typeof code !== 'string') return null;
  return refusalOf(problem, code, { title: 'the service ended the stream', recoverable: true });
}

/** Reads a problem body; `null` where it is none with a code of the protocol. */
function parseProblem(text: string): Refusal | null {
  const problem = membersOf(text);
  const { code } = problem;
  return isServiceErrorCode(code) ? refusalOf(problem, code, entryOf(code)) : null;
}

function entryOf(code: ServiceErrorCode): { title: string; recoverable: boolean } {
  return { title: SERVICE_ERROR_TITLES[code], recoverable: SERVICE_ERRORS[code].recoverable };
}

type Members = Partial<Record<keyof Problem, unknown>>;

function membersOf(text: string): Members {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function refusalOf(
  { detail, retryAfterMs }: Members,
  code: string,
  { title, recoverable }: { readonly title: string; readonly recoverable: boolean },
): Refusal {
  return {
    code,
    detail: typeof detail === 'string' ? detail : title,
    recoverable,
    retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : undefined,
  };
}

function after({ headers }: Response): number | undefined {
  const text = headers.get('retry-after');
  // The form with a date is for clocks that agree; the service does not send it.
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : undefined;
}
