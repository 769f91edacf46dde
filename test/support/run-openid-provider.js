// An OpenID provider that this project did not write, as a process of its own: `oidc-provider`. It is told by its
// parent what to be, and answers when it listens. Each client gets tokens signed by the algorithm it is named after.
import { Provider } from 'oidc-provider';

process.once('disconnect', () => process.exit());
process.once('message', ({ port, keys, clients, audience, claims }) => {
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: clients.map(({ id, secret }) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: (_context, resource, client) => ({
          audience: resource,
          scope: 'realtime:subscribe realtime:publish',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: client.clientId } },
        }),
      },
    },
    extraTokenClaims: () => claims,
  });
  const server = provider.listen(port, '127.0.0.1', () => process.send?.('listens'));
  server.once('error', (error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  });
});
