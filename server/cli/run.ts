import { ConfigError } from '../config.js';
import { SluiceError } from '../errors.js';
import { IssuerError } from '../issuer/issuer-error.js';
import { clientsCommand } from './clients-command.js';
import { type Command, type CommandContext, CommandFailure, say, UsageError } from './command.js';
import { keysCommand } from './keys-command.js';
import { listenCommand } from './listen-command.js';
import { publishCommand } from './publish-command.js';
import { tokenCommand } from './token-command.js';
import { VERSION } from './version.js';

const COMMANDS: readonly Command[] = [
  tokenCommand,
  listenCommand,
  publishCommand,
  clientsCommand,
  keysCommand,
];

const USAGE = `Usage: sluice <command> [options]

Commands:
${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(9)} ${summary}`).join('\n')}

sluice <command> --help tells more about one of them; sluice --version tells the version.
`;

/** Runs one command line; the exit code is 0, 1 where the command failed, 2 where it was called wrongly. */
export async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = args;
  if (name === 'help' && rest.length > 0) return run([...rest, '--help'], context);
  if (name === 'help' || isHelp(name)) {
    context.stdout.write(USAGE);
    return 0;
  }
  if (name === '--version') {
    context.stdout.write(`${VERSION}\n`);
    return 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const fault = name === undefined ? 'no command was given' : `there is no command "${name}"`;
    say(context, `${fault}; see sluice --help`);
    return 2;
  }
  if (rest.some(isHelp)) {
    context.stdout.write(command.usage);
    return 0;
  }
  try {
    await command.run(rest, context);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      say(context, `${error.message}; see sluice ${command.name} --help`);
      return 2;
    }
    say(context, describe(error));
    return 1;
  }
}

function isHelp(argument: string | undefined): boolean {
  return argument === '--help' || argument === '-h';
}

function describe(error: unknown): string {
  if (error instanceof ConfigError) {
    return `the configuration is not valid: ${error.faults.join('; ')}`;
  }
  const isForUser =
    error instanceof CommandFailure || error instanceof IssuerError || error instanceof SluiceError;
  if (isForUser) return error.message;
  // A fault of Sluice itself: here, and only here, the stack is what helps.
  return `unexpected failure: ${error instanceof Error ? error.stack : String(error)}`;
}
