import {
  type ClientStore,
  openClientStore,
  openExistingClientStore,
} from '../issuer/client-store.js';
import { type Command, type CommandContext, CommandFailure, say, UsageError } from './command.js';
import { withIssuerDocuments } from './issuer-config.js';
import { readOptions } from './options.js';

/** A part of the command, by the word that names it. */
type Action = (args: readonly string[], context: CommandContext) => Promise<void>;

const ACTIONS = new Map<string, Action>([
  ['add', add],
  ['list', list],
  ['remove', remove],
  ['add-secret', addSecret],
  ['remove-secret', removeSecret],
]);

export const clientsCommand: Command = {
  usage: `Usage: sluice clients add --id <id> --workspace <name> --permissions <list>
       sluice clients list
       sluice clients remove --id <id>
       sluice clients add-secret --id <id>
       sluice clients remove-secret --id <id> (--secret-id <id> | --older)

A client gets its tokens at /oauth/token with its id and secret (OAuth 2.0 client credentials).
They are in DATA_DIR, or where REDIS_URL is set in Redis. A running service sees every change
at once.

  add             prints client_id=... and client_secret=... on stdout; the secret is shown this once
  list            prints each client as one line of JSON
  remove          the client gets no more tokens; those that it has live until they expire
  add-secret      prints a second secret, shown this once; both are good until one is removed
  remove-secret   removes one of two secrets

  --id <id>             letters, digits, ".", "_" and "-"
  --workspace <name>    workspace of the client; may be repeated
  --permissions <list>  comma-separated: realtime:subscribe, realtime:publish,
                        realtime:presence, realtime:admin
  --secret-id <id>      the secret to remove, as it is listed
  --older               the one of two secrets that was there first
`,

  async run([word = '', ...args], context) {
    const action = ACTIONS.get(word);
    if (action === undefined) {
      throw new UsageError(
        'clients takes one of add, list and remove, or add-secret and remove-secret',
      );
    }
    await action(args, context);
  },
};

async function add(args: readonly string[], context: CommandContext): Promise<void> {
  const options = readOptions(args, ['id', 'workspace', 'permissions']);
  const id = options.required('id');
  const workspaces = options.workspaces('workspace');
  const permissions = options.permissions('permissions');
  const { secret } = await withIssuerDocuments(context, async (documents, { dataDir }) => {
    const clients = await openClientStore({ dataDir, documents });
    return clients.addClient({ id, workspaces, permissions });
  });
  context.stdout.write(`client_id=${id}\nclient_secret=${secret}\n`);
  sayKeepIt(context);
}

async function list(args: readonly string[], context: CommandContext): Promise<void> {
  readOptions(args, []);
  const { clients, place } = await withIssuerDocuments(context, async (documents, { dataDir }) => {
    const store = await openExistingClientStore({ dataDir, documents });
    return { clients: (await store?.listClients()) ?? [], place: documents.place };
  });
  if (clients.length === 0) say(context, `there are no clients in ${place}`);
  for (const client of clients) context.stdout.write(`${JSON.stringify(client)}\n`);
}

async function remove(args: readonly string[], context: CommandContext): Promise<void> {
  const id = readOptions(args, ['id']).required('id');
  await withClientsOf(id, context, async (clients, noClient) => {
    if (!(await clients.removeClient(id))) throw noClient();
  });
  say(context, 'removed; its tokens live until they expire');
}

async function addSecret(args: readonly string[], context: CommandContext): Promise<void> {
  const id = readOptions(args, ['id']).required('id');
  const added = await withClientsOf(id, context, (clients) => clients.addSecret(id));
  context.stdout.write(`client_id=${id}\nsecret_id=${added.id}\nclient_secret=${added.secret}\n`);
  sayKeepIt(context);
}

async function removeSecret(args: readonly string[], context: CommandContext): Promise<void> {
  const options = readOptions(args, ['id', 'secret-id'], ['older']);
  const id = options.required('id');
  const secretId = options.one('secret-id');
  if ((secretId === undefined) !== options.isGiven('older')) {
    throw new UsageError('give either --secret-id or --older');
  }
  const which = secretId === undefined ? 'older' : { id: secretId };
  const removed = await withClientsOf(id, context, (clients) => clients.removeSecret(id, which));
  say(context, `removed the secret ${removed.id} of ${removed.createdAt}`);
}

/** @throws CommandFailure where there are no clients at all. */
function withClientsOf<Outcome>(
  id: string,
  context: CommandContext,
  work: (clients: ClientStore, noClient: () => CommandFailure) => Promise<Outcome>,
): Promise<Outcome> {
  return withIssuerDocuments(context, async (documents, { dataDir }) => {
    const noClient = () => new CommandFailure(`there is no client "${id}" in ${documents.place}`);
    const clients = await openExistingClientStore({ dataDir, documents });
    if (clients === null) throw noClient();
    return work(clients, noClient);
  });
}

function sayKeepIt(context: CommandContext): void {
  say(context, 'keep the secret now: it is not stored and cannot be shown again');
}
