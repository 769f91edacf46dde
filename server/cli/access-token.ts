import { readFile } from 'node:fs/promises';
import { type CommandContext, CommandFailure } from './command.js';

/**
 * Reads the token, anew with each call: a file may get a newer one meanwhile. It is never taken from the command line,
 * which every user of the machine can see.
 * @param file the file that holds it; without one it comes from the file that SLUICE_TOKEN_FILE names, or SLUICE_TOKEN
 * @throws CommandFailure where there is none.
 */
export async function readAccessToken(
  { env }: CommandContext,
  file: string | undefined,
): Promise<string> {
  const path = file ?? tokenFileOf(env);
  const source = path === undefined ? 'SLUICE_TOKEN' : `the file ${path}`;
  const token = (path === undefined ? env['SLUICE_TOKEN'] : await readTokenFile(path))?.trim();
  if (token === undefined || token === '') {
    throw new CommandFailure(
      `there is no token in ${source}; make one with sluice token, or get one from your identity provider`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new CommandFailure(`what ${source} holds is no token`);
  return token;
}

/** An empty variable counts as not set. */
function tokenFileOf(env: CommandContext['env']): string | undefined {
  const path = env['SLUICE_TOKEN_FILE']?.trim() || undefined;
  if (path !== undefined && env['SLUICE_TOKEN']?.trim()) {
    throw new CommandFailure('SLUICE_TOKEN is set beside SLUICE_TOKEN_FILE: take one of them');
  }
  return path;
}

async function readTokenFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new CommandFailure(`the file ${path} cannot be read (${code})`, { cause: error });
  }
}
