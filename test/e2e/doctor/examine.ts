import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Report } from '../../../server/cli/doctor/report.js';
import type { CheckResult } from '../../../server/cli/doctor/run-checks.js';
import { createDoctorCommand, type DoctorParts } from '../../../server/cli/doctor-command.js';

/** Of a machine with much to do, too. What is held back on purpose is waited for less long. */
const ANSWER_MS = 5_000;

export interface Examined {
  readonly code: unknown;
  readonly report: Report;
  /** All that was printed. */
  readonly printed: string;
  check(id: string): CheckResult;
}

export interface Circumstances extends DoctorParts {
  readonly token?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Runs the command as it is, with `--json`. */
export async function examine(
  args: readonly string[],
  { token, env = {}, signal, ...parts }: Circumstances = {},
): Promise<Examined> {
  const { code, printed } = await runDoctor(['--json', ...args], {
    ...parts,
    env,
    ...(token !== undefined && { token }),
    ...(signal !== undefined && { signal }),
  });
  const report = JSON.parse(printed) as Report;
  return {
    code,
    report,
    printed,
    check: (id) => {
      const found = report.checks.find((check) => check.id === id);
      if (found === undefined) throw new Error(`there is no check ${id}`);
      return found;
    },
  };
}

/** Runs the command as it is; what it printed. */
export async function runDoctor(
  args: readonly string[],
  { token, env = {}, signal = new AbortController().signal, ...parts }: Circumstances = {},
): Promise<{ code: unknown; printed: string }> {
  const stdout = new PassThrough();
  const command = createDoctorCommand({ answerMs: ANSWER_MS, ...parts });
  const printed = text(stdout);
  const code = await command
    .run(args, {
      env: { ...env, ...(token !== undefined && { SLUICE_TOKEN: token }) },
      stdin: Readable.from([]),
      stdout,
      stderr: new PassThrough(),
      signal,
    })
    .finally(() => stdout.end());
  return { code, printed: await printed };
}

/** The ids of the checks that came to a verdict. */
export function idsOf({ report }: Examined, verdict: CheckResult['verdict']): string[] {
  return report.checks.filter((check) => check.verdict === verdict).map(({ id }) => id);
}
