import type { Request, Response } from 'express';
import { SluiceError } from '../errors.js';

/** Refuses what the routes before it did not take. @param allowed the methods that they take, as `Allow` lists them */
export function methodNotAllowed(allowed: string) {
  return (_request: Request, response: Response): void => {
    response.setHeader('Allow', allowed);
    throw new SluiceError('METHOD_NOT_ALLOWED');
  };
}
