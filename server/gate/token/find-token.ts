import { PARAMETERS } from '@sluice/protocol';
import { SluiceError } from '../../errors.js';

/** The longest token that is looked at, in characters. */
export const MAX_TOKEN_LENGTH = 8_192;

/** Where a request may carry its token. */
export interface TokenCarrier {
  /** Each Authorization header as it came: Node's `headers` would silently keep the first of several. */
  readonly authorization: readonly string[];
  readonly query: URLSearchParams;
}

/** The token that a request is made with. */
export interface FoundToken {
  readonly kind: 'access' | 'stream';
  readonly token: string;
  readonly isInQuery: boolean;
}

const AUTHORIZATION = 'Authorization';
const BEARER = /^bearer(?: +(.*))?$/i;

/**
 * The one token of a request (RFC 6750, section 2).
 * @throws SluiceError MISSING_TOKEN if there is none, INVALID_REQUEST if there are several or one is malformed.
 */
export function findToken({ authorization, query }: TokenCarrier): FoundToken {
  const given = [...tokensOfHeaders(authorization), ...tokensOfQuery(query)];
  // RFC 6750, section 2: clients MUST NOT use more than one method to transmit the token in each request.
  if (given.length > 1) throw invalid('The request holds more than one token.');
  const [found] = given;
  if (found === undefined) throw new SluiceError('MISSING_TOKEN');
  const { name, token } = found;
  if (token === '') throw invalid(`The parameter "${name}" is empty.`);
  if (token.length > MAX_TOKEN_LENGTH) throw invalid('The token is too long.');
  return {
    kind: name === PARAMETERS.streamToken ? 'stream' : 'access',
    token,
    isInQuery: name !== AUTHORIZATION,
  };
}

interface GivenToken {
  /** The header or parameter that held it. */
  readonly name: string;
  readonly token: string;
}

function tokensOfHeaders(headers: readonly string[]): GivenToken[] {
  if (headers.length > 1) throw invalid('The Authorization header was given twice.');
  const bearer = BEARER.exec(headers[0] ?? '');
  if (bearer === null) return [];
  const token = bearer[1] ?? '';
  if (token === '' || token.includes(' ')) {
    throw invalid('The Authorization header is not "Bearer" and one token.');
  }
  return [{ name: AUTHORIZATION, token }];
}

function tokensOfQuery(query: URLSearchParams): GivenToken[] {
  if (query.size === 0) return [];
  const keys = [...query.keys()];
  return [PARAMETERS.accessToken, PARAMETERS.streamToken].flatMap((name) => {
    if (keys.some((key) => key.startsWith(`${name}[`))) {
      throw invalid(`The parameter "${name}" is not a plain one.`);
    }
    return query.getAll(name).map((token) => ({ name, token }));
  });
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', detail);
}
