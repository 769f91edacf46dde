import { SluiceError } from '../errors.js';

/**
 * The members of a body, by name.
 * @throws SluiceError INVALID_REQUEST if it is no object, or has others
 */
export function membersOf<Name extends string>(
  body: unknown,
  names: readonly Name[],
): Readonly<Partial<Record<Name, unknown>>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new SluiceError('INVALID_REQUEST', 'The body is not a JSON object.');
  }
  if (!Object.keys(body).every((name) => (names as readonly string[]).includes(name))) {
    throw new SluiceError('INVALID_REQUEST', `The body may hold ${names.join(', ')} alone.`);
  }
  return body as Readonly<Partial<Record<Name, unknown>>>;
}
