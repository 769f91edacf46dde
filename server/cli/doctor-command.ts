import type { LookupFunction } from 'node:net';
import type { WriteStream } from 'node:tty';
import type { Command, CommandContext } from './command.js';
import { type DoctorArgumentsRead, readDoctorOptions } from './doctor/doctor-options.js';
import { type Page, printResult, wrap } from './doctor/print-result.js';
import { makeReport, type Report } from './doctor/report.js';
import { runChecks } from './doctor/run-checks.js';
import { cleanText } from './doctor/scribe.js';
import { VERSION } from './version.js';

/** For all of it, beside the time for which heartbeats are watched. */
const TOTAL_MS = 120_000;
const DEFAULT_COLUMNS = 100;

export interface DoctorParts {
  /** How long one answer may take. Default 10 seconds. */
  readonly answerMs?: number;
  /** How names are looked up; the system's way by default. */
  readonly lookup?: LookupFunction | null;
}

export function createDoctorCommand({
  answerMs = 10_000,
  lookup = null,
}: DoctorParts = {}): Command {
  return {
    usage: `Usage: sluice doctor [<url>] [options]

Examines the way from this machine to the service, one thing after the other, and says what to do.
The URL is where clients find the service; default SLUICE_URL or http://127.0.0.1:3000.

  --workspace <name>   whose stream is opened; default the one that the token names
  --token-file <file>  the file that holds the access token; default SLUICE_TOKEN_FILE, or
                       SLUICE_TOKEN. Without a token no stream is opened. The token is never
                       printed; its claims are
  --origin <origin>    the origin of the page that subscribes: https://app.example
  --jwks <url>         the keys of the issuer; default what the "iss" of the token leads to
  --ops <url>          the port for operators (OPS_PORT), for /readyz
  --publish <topic>    publishes two events of the type sluice.doctor.probe to this topic
  --seconds <n>        how long heartbeats are watched; default until one comes, at most 20
  --ca-file <file>     an authority to trust beside the usual ones, as PEM
  --json               one JSON object in place of the lines

Exit code: 0 all is well (there may be warnings), 1 a problem was found, 2 called wrongly,
3 nothing answers at the address, 4 ended before all was examined, without a problem so far.
`,
    async run(args, context) {
      const read = await readDoctorOptions(args, context);
      const report = await examine(read, context, { answerMs, lookup });
      if (read.isJson) context.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      else context.stdout.write(`\n${wrap(report.summary, pageOf(context).columns).join('\n')}\n`);
      return report.exitCode;
    },
  };
}

export const doctorCommand = createDoctorCommand();

async function examine(
  { options, secrets, isJson }: DoctorArgumentsRead,
  context: CommandContext,
  { answerMs, lookup }: Required<DoctorParts>,
): Promise<Report> {
  const startedAt = new Date();
  const ending = new AbortController();
  const stop = () => ending.abort();
  context.signal.addEventListener('abort', stop, { once: true });
  if (context.signal.aborted) stop();
  // It also keeps the process alive: some of what is waited for would not.
  const timer = setTimeout(stop, TOTAL_MS + (options.watchMs ?? 0));
  const url = cleanText(
    `${options.base.origin}${options.base.pathname.replace(/\/$/, '')}`,
    secrets,
  );
  const { workspace } = options;
  const page = pageOf(context);
  try {
    if (!isJson) context.stdout.write(`Sluice doctor ${VERSION}: ${url}\n\n`);
    const checks = await runChecks(
      { ...options, signal: ending.signal, lookup, answerMs, known: {}, secrets },
      (result) => {
        if (!isJson) context.stdout.write(printResult(result, page));
      },
    );
    const durationMs = Date.now() - startedAt.getTime();
    return makeReport({ url, workspace, startedAt: startedAt.toISOString(), durationMs }, checks);
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener('abort', stop);
    // Ends what a check that was not waited for still has open.
    ending.abort();
  }
}

function pageOf({ stdout, env }: CommandContext): Page {
  const { isTTY = false, columns = DEFAULT_COLUMNS } = stdout as Partial<WriteStream>;
  // https://no-color.org: "when present and not an empty string (regardless of its value)"
  return { columns, hasColour: isTTY && !env['NO_COLOR'] };
}
