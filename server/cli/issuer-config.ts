import { type Config, type EmbeddedIssuer, readConfig } from '../config.js';
import type { PrivateDocuments } from '../issuer/private-document.js';
import { openIssuerDocuments } from '../issuer-documents.js';
import { type CommandContext, CommandFailure } from './command.js';

export type IssuerConfig = Config & { readonly issuer: EmbeddedIssuer };

/**
 * The settings of the service whose embedded issuer a command works with.
 * @throws CommandFailure where the service takes its tokens from an identity provider.
 */
export function readIssuerConfig({ env }: CommandContext): IssuerConfig {
  const config = readConfig(env);
  const { issuer } = config;
  if (issuer === null) {
    throw new CommandFailure(
      'the settings name another issuer, so tokens and clients come from there, not from Sluice',
    );
  }
  return { ...config, issuer };
}

/** Works with what the issuer keeps, in the data folder or in Redis. @throws CommandFailure as `readIssuerConfig` */
export async function withIssuerDocuments<Outcome>(
  context: CommandContext,
  work: (documents: PrivateDocuments, config: IssuerConfig) => Promise<Outcome>,
): Promise<Outcome> {
  const config = readIssuerConfig(context);
  const { documents, close } = await openIssuerDocuments(config);
  try {
    return await work(documents, config);
  } finally {
    await close();
  }
}
