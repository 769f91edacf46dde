import { ConfigError } from '../config.js';
import { SluiceError } from '../errors.js';
import { IssuerError } from '../issuer/issuer-error.js';
import { type Command, type CommandContext, CommandFailure, say, UsageError } from './command.js';
import { VERSION } from './version.js';

interface Entry {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Loaded when it is called: a filter need not wait for what an issuer needs. */
  load(): Promise<Command>;
}

const COMMANDS: readonly Entry[] = [
  {
    name: 'token',
    summary: 'make an access token with the keys of the embedded issuer',
    load: async () => (await import('./token-command.js')).tokenCommand,
  },
  {
    name: 'listen',
    summary: 'print the events of a workspace as they happen',
    load: async () => (await import('./listen-command.js')).listenCommand,
  },
  {
    name: 'publish',
    summary: 'publish one event',
    load: async () => (await import('./publish-command.js')).publishCommand,
  },
  {
    name: 'doctor',
    summary: 'find what is wrong between a client and the service',
    load: async () => (await import('./doctor-command.js')).doctorCommand,
  },
  {
    name: 'scrub',
    summary: 'take tokens and client secrets out of logs',
    load: async () => (await import('./scrub-command.js')).scrubCommand,
  },
  {
    name: 'clients',
    summary: 'add, list and remove the service accounts of the embedded issuer',
    load: async () => (await import('./clients-command.js')).clientsCommand,
  },
  {
    name: 'keys',
    summary: 'rotate, list and retire the signing keys of the embedded issuer',
    load: async () => (await import('./keys-command.js')).keysCommand,
  },
  {
    name: 'config',
    summary: 'check the settings of the service without starting it',
    load: async () => (await import('./config-command.js')).configCommand,
  },
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
  const entry = COMMANDS.find((candidate) => candidate.name === name);
  if (entry === undefined) {
    const fault = name === undefined ? 'no command was given' : `there is no command "${name}"`;
    say(context, `${fault}; see sluice --help`);
    return 2;
  }
  const command = await entry.load();
  if (rest.some(isHelp)) {
    context.stdout.write(command.usage);
    return 0;
  }
  try {
    return (await command.run(rest, context)) ?? 0;
  } catch (error) {
    if (error instanceof UsageError) {
      say(context, `${error.message}; see sluice ${entry.name} --help`);
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
