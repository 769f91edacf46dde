/**
 * The issuer cannot work with its files or settings as they are. The message names the file and is written for whoever
 * runs the service; unlike a SluiceError it is not for callers.
 */
export class IssuerError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'IssuerError';
  }
}
