import { eventsPath } from '@sluice/protocol';
import { type CommandContext, UsageError } from './command.js';

const DEFAULT_URL = 'http://127.0.0.1:3000';

/**
 * Where the events of a workspace are, below `url`, SLUICE_URL or the address of a service on this machine.
 * A path of the base address stays: the service may stand behind a prefix.
 */
export function eventsAddress(
  { env }: CommandContext,
  url: string | undefined,
  workspace: string,
): URL {
  const name = url === undefined ? 'SLUICE_URL' : '--url';
  const text = url ?? (env['SLUICE_URL'] || DEFAULT_URL);
  const address = URL.canParse(text) ? new URL(text) : null;
  if (address === null || !/^https?:$/.test(address.protocol) || address.username !== '') {
    throw new UsageError(`${name} must be an http or https address without a user name`);
  }
  address.pathname = address.pathname.replace(/\/$/, '') + eventsPath(workspace);
  address.search = '';
  address.hash = '';
  return address;
}
