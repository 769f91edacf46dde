import { type KeyRotation, openKeyRotation } from '../issuer/key-rotation.js';
import { type Command, type CommandContext, say, UsageError } from './command.js';
import { withIssuerDocuments } from './issuer-config.js';
import { readOptions } from './options.js';

const DEFAULT_SIGNS_IN_SECONDS = 60;
const MAX_SIGNS_IN_SECONDS = 2_592_000;

export const keysCommand: Command = {
  usage: `Usage: sluice keys list
       sluice keys rotate [--signs-in <seconds>]
       sluice keys retire [--kid <kid>] [--even-if-tokens-live]

The keys are in DATA_DIR, or where REDIS_URL is set in Redis. A running service, on every
node, sees every change within a second.

  list      prints each key as one line of JSON: next, signing, or verifying, which has signed
  rotate    adds a key; it is published at once, and signs later, so that whoever keeps
            the published keys for a while knows it in time
  retire    removes keys that sign no more and whose tokens have all expired

  --signs-in <seconds>    when the new key begins to sign; default ${DEFAULT_SIGNS_IN_SECONDS}, at most ${MAX_SIGNS_IN_SECONDS}
  --kid <kid>             the key to retire; all that may go, if it is not given
  --even-if-tokens-live   retire also what tokens that are good need: they become invalid

It reads the same settings as the service: DATA_DIR, REDIS_URL and what belongs to it,
ISSUER_KEY_SECRET, TOKEN_MAX_LIFETIME_SECONDS, CLOCK_TOLERANCE_SECONDS.

After a key has leaked, all that lay with it have: retire the next key, if one waits, by
sluice keys retire --kid <kid> --even-if-tokens-live; then sluice keys rotate --signs-in 0;
then sluice keys retire --even-if-tokens-live
`,

  async run([action, ...args], context) {
    if (action === 'list') {
      readOptions(args, []);
      const { statuses, place } = await withKeys(context, async (keys, place) => ({
        statuses: await keys.list(),
        place,
      }));
      if (statuses.length === 0) say(context, `there are no keys in ${place}`);
      for (const status of statuses) context.stdout.write(`${JSON.stringify(status)}\n`);
    } else if (action === 'rotate') {
      const signsIn = readOptions(args, ['signs-in']).wholeNumber(
        'signs-in',
        0,
        MAX_SIGNS_IN_SECONDS,
      );
      const added = await withKeys(context, (keys) =>
        keys.rotate(signsIn ?? DEFAULT_SIGNS_IN_SECONDS),
      );
      context.stdout.write(`${JSON.stringify(added)}\n`);
      say(
        context,
        `the key signs from ${added.signsFrom}; retire the one before when its tokens have expired`,
      );
    } else if (action === 'retire') {
      const options = readOptions(args, ['kid'], ['even-if-tokens-live']);
      const kid = options.one('kid');
      const evenIfTokensLive = options.isGiven('even-if-tokens-live');
      const retired = await withKeys(context, (keys) => keys.retire({ kid, evenIfTokensLive }));
      if (retired.length === 0) say(context, 'no key may be retired yet; see sluice keys list');
      for (const gone of retired) say(context, `retired ${gone}`);
    } else {
      throw new UsageError('keys takes one of list, rotate and retire');
    }
  },
};

function withKeys<Outcome>(
  context: CommandContext,
  work: (keys: KeyRotation, place: string) => Promise<Outcome>,
): Promise<Outcome> {
  return withIssuerDocuments(context, (documents, { dataDir, tokens }) => {
    // The gate takes a token for so long after its `exp`.
    const maxTokenLifeSeconds = tokens.maxLifetimeSeconds + tokens.clockToleranceSeconds;
    const keys = openKeyRotation({ dataDir, documents, maxTokenLifeSeconds });
    return work(keys, documents.place);
  });
}
