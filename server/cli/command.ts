import type { Readable, Writable } from 'node:stream';

/** What a command may touch of the process that runs it. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborted when the user wants to stop (Ctrl-C), or when nobody reads stdout any more. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly usage: string;
  /**
   * Runs to its end, and may give the exit code, 0 otherwise. A fault is thrown: UsageError, CommandFailure, or an error
   * of the service's own.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: most commands have nothing to return
  run(args: readonly string[], context: CommandContext): Promise<number | void>;
}

/** The command line cannot stand. Exit code 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** The command could not do its work, for a reason that its user can understand. Exit code 1. */
export class CommandFailure extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CommandFailure';
  }
}

/** Says one line to the user. */
export function say({ stderr }: CommandContext, text: string): void {
  stderr.write(`sluice: ${onOneLine(text).trim()}\n`);
}

/** Texts that came from elsewhere must not steer a terminal. */
export function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ');
}
