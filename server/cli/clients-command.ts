import { openClientStore, openExistingClientStore } from '../issuer/client-store.js';
import { type Command, CommandFailure, say, UsageError } from './command.js';
import { readIssuerConfig } from './issuer-config.js';
import { readOptions } from './options.js';

export const clientsCommand: Command = {
  name: 'clients',
  summary: 'add, list and remove the service accounts of the embedded issuer',
  usage: `Usage: sluice clients add --id <id> --workspace <name> --permissions <list>
       sluice clients list
       sluice clients remove --id <id>

A client gets its tokens at /oauth/token with its id and secret (OAuth 2.0 client credentials).
A running service sees every change at once.

  add       prints client_id=... and client_secret=... on stdout; the secret is shown this once
  list      prints each client as one line of JSON
  remove    the client gets no more tokens; those that it has live until they expire

  --id <id>             letters, digits, ".", "_" and "-"
  --workspace <name>    workspace of the client; may be repeated
  --permissions <list>  comma-separated: realtime:subscribe, realtime:publish,
                        realtime:presence, realtime:admin
`,

  async run([action, ...args], context) {
    if (action === 'add') {
      const options = readOptions(args, ['id', 'workspace', 'permissions']);
      const id = options.required('id');
      const workspaces = options.workspaces('workspace');
      const permissions = options.permissions('permissions');
      const clients = await openClientStore(readIssuerConfig(context));
      const { secret } = await clients.addClient({ id, workspaces, permissions });
      context.stdout.write(`client_id=${id}\nclient_secret=${secret}\n`);
      say(context, 'keep the secret now: it is not stored and cannot be shown again');
    } else if (action === 'list') {
      readOptions(args, []);
      const config = readIssuerConfig(context);
      const clients = (await (await openExistingClientStore(config))?.listClients()) ?? [];
      if (clients.length === 0) say(context, `there are no clients in ${config.dataDir}`);
      for (const client of clients) context.stdout.write(`${JSON.stringify(client)}\n`);
    } else if (action === 'remove') {
      const id = readOptions(args, ['id']).required('id');
      const config = readIssuerConfig(context);
      const clients = await openExistingClientStore(config);
      if (clients === null || !(await clients.removeClient(id))) {
        throw new CommandFailure(`there is no client "${id}" in ${config.dataDir}`);
      }
      say(context, 'removed; its tokens live until they expire');
    } else {
      throw new UsageError('clients takes one of add, list and remove');
    }
  },
};
