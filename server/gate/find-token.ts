import { PARAMETERS } from '@sluice/protocol';
import { SluiceError } from '../errors.js';

/** The longest token that is looked at, in characters. */
export const MAX_TOKEN_LENGTH = 8_192;

/** Where a request may carry its token. */
export interface TokenCarrier {
  /** Each Authorization header as it came: Node's `headers` would silently keep the first of several. */
  readonly authorization: readonly string[];
  readonly query: URLSearchParams;
}

const BEARER = /^bearer(?: +(.*))?$/i;

/**
 * The one token of a request (RFC 6750, section 2).
 * @throws SluiceError MISSING_TOKEN if there is none, INVALID_REQUEST if there are several or one is malformed.
 */
export function findToken({ authorization, query }: TokenCarrier): string {
  const fromHeader = tokenOfHeader(authorization);
  const fromQuery = tokenOfQuery(query);
  // RFC 6750, section 2: clients MUST NOT use more than one method to transmit the token in each request.
  if (fromHeader !== null && fromQuery !== null) {
    throw invalid('The token was given twice: in the Authorization header and in the query.');
  }
  const token = fromHeader ?? fromQuery;
  if (token === null) throw new SluiceError('MISSING_TOKEN');
  if (token.length > MAX_TOKEN_LENGTH) throw invalid('The token is too long.');
  return token;
}

function tokenOfHeader(headers: readonly string[]): string | null {
  if (headers.length > 1) throw invalid('The Authorization header was given twice.');
  const bearer = BEARER.exec(headers[0] ?? '');
  if (bearer === null) return null;
  const token = bearer[1] ?? '';
  if (token === '' || token.includes(' ')) {
    throw invalid('The Authorization header is not "Bearer" and one token.');
  }
  return token;
}

function tokenOfQuery(query: URLSearchParams): string | null {
  const given = [PARAMETERS.accessToken, PARAMETERS.streamToken].flatMap((name) =>
    [...query]
      .filter(([key]) => key === name || key.startsWith(`${name}[`))
      .map(([key, value]) => ({ isPlain: key === name, name, value })),
  );
  const [first] = given;
  if (first === undefined) return null;
  if (given.length > 1 || !first.isPlain) throw invalid('The query holds more than one token.');
  if (first.value === '') throw invalid(`The parameter "${first.name}" is empty.`);
  if (first.name === PARAMETERS.streamToken) {
    throw new SluiceError('INVALID_TOKEN', 'The stream token is not known.');
  }
  return first.value;
}

function invalid(detail: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', detail);
}
