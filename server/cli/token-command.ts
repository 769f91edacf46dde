import { openIssuer } from '../issuer/issuer.js';
import { type Command, say, UsageError } from './command.js';
import { readIssuerConfig, withIssuerDocuments } from './issuer-config.js';
import { readOptions } from './options.js';

const DEFAULT_LIFETIME_SECONDS = 3_600;
const MAX_LIFETIME_SECONDS = 86_400;

const OPTIONS = ['workspace', 'subject', 'permissions', 'expires-in'] as const;

export const tokenCommand: Command = {
  usage: `Usage: sluice token --workspace <name> --subject <name> --permissions <list> [options]

Makes an access token with the keys in DATA_DIR, or where REDIS_URL is set in Redis, and prints
it, alone, on stdout.

  --workspace <name>      workspace that the token is good for; may be repeated
  --subject <name>        who the token stands for
  --permissions <list>    comma-separated: realtime:subscribe, realtime:publish,
                          realtime:presence, realtime:admin
  --expires-in <seconds>  lifetime; default ${DEFAULT_LIFETIME_SECONDS}, at most ${MAX_LIFETIME_SECONDS}

It reads the same settings as the service: DATA_DIR, REDIS_URL and what belongs to it,
ISSUER_KEY_SECRET, TOKEN_ISSUER, TOKEN_AUDIENCE, WORKSPACE_CLAIM,
TOKEN_MAX_LIFETIME_SECONDS.

  export SLUICE_TOKEN=$(sluice token --workspace acme --subject alice \\
    --permissions realtime:subscribe,realtime:publish)
`,

  async run(args, context) {
    const options = readOptions(args, OPTIONS);
    const workspaces = options.workspaces('workspace');
    const subject = options.required('subject');
    const permissions = options.permissions('permissions');
    const asked = options.wholeNumber('expires-in', 1, MAX_LIFETIME_SECONDS);

    const { tokens } = readIssuerConfig(context);
    if (asked !== undefined && asked > tokens.maxLifetimeSeconds) {
      throw new UsageError(
        `--expires-in is longer than the service accepts: TOKEN_MAX_LIFETIME_SECONDS is ${tokens.maxLifetimeSeconds}`,
      );
    }
    const token = await withIssuerDocuments(context, async (documents, { dataDir, issuer }) => {
      const hadKeys = (await documents.keys.version()) !== null;
      const { workspaceClaim } = tokens;
      const { issuer: name, audience } = issuer;
      const options = { dataDir, documents, issuer: name, audience, workspaceClaim };
      const embedded = await openIssuer(options);
      if (!hadKeys)
        say(context, `made new keys in ${documents.place}; the service must use them too`);
      return embedded.issueToken({
        subject,
        workspaces,
        permissions,
        lifetimeSeconds: asked ?? Math.min(DEFAULT_LIFETIME_SECONDS, tokens.maxLifetimeSeconds),
      }).token;
    });
    context.stdout.write(`${token}\n`);
  },
};
