import { isServiceErrorCode, type Problem, SERVICE_ERRORS } from '@sluice/protocol';
import { readAnswerText } from './answer-text.js';

/** Why the service said no, as far as its answer tells. */
export interface Refusal {
  /** A code of the protocol, or what stands in its place where something else answered (a proxy). */
  readonly code: string;
  readonly detail: string;
  readonly recoverable: boolean;
  readonly retryAfterMs: number | undefined;
}

/** Reads the refusal that an HTTP answer is; its body may be anything, and of any length. */
export async function readRefusal(answer: Response): Promise<Refusal> {
  const problem = parseProblem(await readAnswerText(answer));
  if (problem !== null) return { ...problem, retryAfterMs: problem.retryAfterMs ?? after(answer) };
  return {
    code: `HTTP ${answer.status}`,
    detail: answer.statusText || 'the answer is not from Sluice',
    recoverable: answer.status === 429 || answer.status >= 500,
    retryAfterMs: after(answer),
  };
}

/** Reads the data of `stream.error`, or a problem body; `null` where it is neither. */
export function parseProblem(text: string): Refusal | null {
  let problem: Partial<Record<keyof Problem, unknown>>;
  try {
    problem = Object(JSON.parse(text));
  } catch {
    return null;
  }
  const { code, detail, retryAfterMs } = problem;
  if (!isServiceErrorCode(code)) return null;
  const { title, recoverable } = SERVICE_ERRORS[code];
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
