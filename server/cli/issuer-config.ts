import { type Config, readConfig } from '../config.js';
import { type CommandContext, CommandFailure } from './command.js';

/**
 * The settings of the service whose embedded issuer a command works with.
 * @throws CommandFailure where the service takes its tokens from an identity provider.
 */
export function readIssuerConfig({ env }: CommandContext): Config {
  const config = readConfig(env);
  if (!config.issuerEnabled) {
    throw new CommandFailure(
      'JWKS_URI is set, so tokens and clients come from your identity provider, not from Sluice',
    );
  }
  return config;
}
