import { untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { Transport } from './transport.js';

/**
 * A transport whose code is loaded with the first stream, so that only those who use it pay for it. Where that fails, it
 * is tried again with the next stream.
 */
export function lazyTransport(load: () => Promise<Transport>): Transport {
  return {
    async run(request, listener, signal) {
      const transport = await untilAborted(load(), signal).catch((cause: unknown) => {
        signal.throwIfAborted();
        throw new RealtimeError('NETWORK_ERROR', {
          message: 'The transport could not be loaded',
          cause,
        });
      });
      await transport.run(request, listener, signal);
    },
  };
}
