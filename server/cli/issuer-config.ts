import { type Config, type EmbeddedIssuer, readConfig } from '../config.js';
import { type CommandContext, CommandFailure } from './command.js';

/**
 * The settings of the service whose embedded issuer a command works with.
 * @throws CommandFailure where the service takes its tokens from an identity provider.
 */
export function readIssuerConfig({ env }: CommandContext): Config & { issuer: EmbeddedIssuer } {
  const config = readConfig(env);
  const { issuer } = config;
  if (issuer === null) {
    throw new CommandFailure(
      'the settings name another issuer, so tokens and clients come from there, not from Sluice',
    );
  }
  return { ...config, issuer };
}
