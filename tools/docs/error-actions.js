/**
 * What happens after each code, beside what the table in protocol/errors.ts says of it. Kept with the documents: no program
 * decides by these words.
 *
 * @typedef {object} Action
 * @property {string} client What the client does by itself.
 * @property {string} you What is left to whoever uses it.
 */

const GOES_ON = 'goes on';
const FAILS = 'fails';

/** @type {Readonly<Record<import('@sluice/protocol').ErrorCode, Action>>} */
export const ERROR_ACTIONS = {
  MISSING_TOKEN: {
    client: FAILS,
    you: 'The token was lost on the way: look at what stands between.',
  },
  TOKEN_EXPIRED: {
    client: 'with a way of getting tokens: gets a new one, and goes on; with `token` alone: fails',
    you: 'With `token` alone: get a new one, and call `setToken`.',
  },
  INVALID_TOKEN: {
    client: 'with a way of getting tokens: gets a new one, once for each refused token; else fails',
    you: 'Get another token, and call `setToken`; or repair the settings of issuer and service.',
  },
  WORKSPACE_MISMATCH: { client: FAILS, you: 'Take a token of this workspace.' },
  FORBIDDEN: {
    client: 'fails; where subscriptions share the stream, only those fail that are not allowed',
    you: 'Take a token with `realtime:subscribe` for these topics.',
  },
  AUTH_ERROR: { client: GOES_ON, you: 'Nothing. If it lasts, tell the operators of the service.' },
  INVALID_REQUEST: {
    client: 'fails; where subscriptions share the stream, only those fail that are at fault',
    you: 'Read `message`, and repair the call.',
  },
  RATE_LIMIT_EXCEEDED: { client: GOES_ON, you: 'Nothing. If it lasts, raise the limit.' },
  SLOW_CONSUMER: {
    client:
      'resumes from its cursor; a subscription whose events wait for an iteration too long ends',
    you: 'Do less in `onEvent`, or iterate faster.',
  },
  UNAVAILABLE: { client: GOES_ON, you: 'Nothing.' },
  NOT_FOUND: { client: FAILS, you: 'Look at `endpoint`.' },
  METHOD_NOT_ALLOWED: { client: FAILS, you: 'Look at `endpoint`.' },
  PAYLOAD_TOO_LARGE: { client: FAILS, you: 'Ask for fewer topics and types.' },
  UNSUPPORTED_MEDIA_TYPE: { client: FAILS, you: 'Look at `endpoint`.' },
  INTERNAL_ERROR: { client: GOES_ON, you: 'Tell the operators of the service the `requestId`.' },

  NETWORK_ERROR: {
    client: GOES_ON,
    you: 'Nothing. In a browser an origin that is not allowed looks like this too.',
  },
  HEARTBEAT_TIMEOUT: {
    client: GOES_ON,
    you: 'If it comes again and again: something on the way holds the stream back.',
  },
  TOKEN_PROVIDER_ERROR: {
    client:
      'goes on; fails if the provider throws `StopRetrying`, or its endpoint refuses for good, or has a relative address outside of a page',
    you: 'Read `message` and `cause`, and repair the provider or its settings.',
  },
  TOKEN_PROVIDER_TIMEOUT: { client: GOES_ON, you: 'Make the provider answer within 10 seconds.' },
  PROTOCOL_ERROR: {
    client: FAILS,
    you: 'Look at `endpoint`: what answered is not Sluice, or redirects.',
  },
  CLOSED: { client: 'nothing more', you: 'Nothing: the client or the subscription was ended.' },
};
