import { untilAborted } from '../abort-scope.js';
import { RealtimeError } from '../errors.js';
import type { Transport } from './transport.js';

/**
 * A transport whose code is loaded with the first stream, so that only those who use it pay for it. Where that fails, it
 * is tried again with the next stream.
 */
export function lazyTransport(load: () => Promise<Transport>): Transport {
  let loaded: Transport | null = null;
  return {
    async run(request, listener, signal) {
      const transport = await untilAborted(load(), signal).catch((cause: unknown) => {
        signal.throwIfAborted();
        throw new RealtimeError('NETWORK_ERROR', {
          message: 'The transport could not be loaded',
          cause,
        });
      });
      // Two streams may have begun to load it: one of them takes over from the other, in one transport.
      loaded ??= transport;
      await loaded.run(request, listener, signal);
    },
    rest: () => loaded?.rest?.(),
  };
}
