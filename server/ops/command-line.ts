import { VERSION } from '../cli/version.js';

/** What is said to a command line in place of a start, and how the process ends. */
export interface CommandLineAnswer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const USAGE = `Usage: node server/dist/main.js

Starts the service. It takes no arguments: its settings are variables of the environment, which
docs/configuration.md describes. "sluice config check" checks them without a start.

  --help      tells this
  --version   tells the version
`;

/** `null` where the service is to be started: there is nothing behind its name. */
export function answerTo(args: readonly string[]): CommandLineAnswer | null {
  if (args.length === 0) return null;
  if (args.some((arg) => arg === '--help' || arg === '-h')) {
    return { stdout: USAGE, stderr: '', exitCode: 0 };
  }
  if (args.length === 1 && args[0] === '--version') {
    return { stdout: `${VERSION}\n`, stderr: '', exitCode: 0 };
  }
  // They are not repeated: somebody may have tried to hand over a secret.
  const stderr = 'sluice: the service takes no arguments; see --help\n';
  return { stdout: '', stderr, exitCode: 2 };
}
