import { readFile } from 'node:fs/promises';
import { type CommandContext, CommandFailure } from './command.js';

/**
 * Reads the token, anew with each call: a file may get a newer one meanwhile. It is never taken from the command line,
 * which every user of the machine can see.
 * @param file the file that holds it; without one it comes from SLUICE_TOKEN
 * @throws CommandFailure where there is none.
 */
export async function readAccessToken(
  { env }: CommandContext,
  file: string | undefined,
): Promise<string> {
  const source = file === undefined ? 'SLUICE_TOKEN' : `the file ${file}`;
  const token = (file === undefined ? env['SLUICE_TOKEN'] : await readTokenFile(file))?.trim();
  if (token === undefined || token === '') {
    throw new CommandFailure(
      `there is no token in ${source}; make one with sluice token, or get one from your identity provider`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new CommandFailure(`what ${source} holds is no token`);
  return token;
}

async function readTokenFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new CommandFailure(`the file ${path} cannot be read (${code})`, { cause: error });
  }
}
