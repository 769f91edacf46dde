import type { Request } from 'express';
import { SluiceError } from '../errors.js';
import type { FailedAttempts } from '../gate/admission/failed-attempts.js';
import type { ClientStore } from '../issuer/client-store.js';
import type { ClientAuthentication } from '../issuer/token-endpoint.js';
import { addressOf } from './request.js';

export interface ClientAuthenticationParts {
  readonly clients: Pick<ClientStore, 'authenticate'>;
  readonly failedAttempts: FailedAttempts;
}

/** Authenticates the clients of one request. An address that has failed too often costs no more work. */
export function clientAuthenticationOf(
  request: Request,
  { clients, failedAttempts }: ClientAuthenticationParts,
): ClientAuthentication {
  const address = addressOf(request);
  return {
    async authenticate(id, secret) {
      failedAttempts.check(address);
      const client = await clients.authenticate(id, secret).catch(cannotBeRead);
      if (client === null) failedAttempts.note(address);
      return client;
    },
  };
}

function cannotBeRead(cause: unknown): never {
  if (cause instanceof SluiceError) throw cause;
  throw new SluiceError('UNAVAILABLE', 'The clients cannot be read.', { cause });
}
