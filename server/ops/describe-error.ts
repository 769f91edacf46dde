/** Errors whose words are this service's own, by their names. */
const OWN = new Set([
  'ConfigError',
  'IssuerError',
  'JsonFault',
  'NotSent',
  'PolicyFault',
  'SluiceError',
  'TooFewReplicas',
]);
/**
 * Those whose words are plain as a rule, Redis' without its arguments. The words of all others may repeat what a caller or a
 * peer has sent: a path that cannot be decoded, a document that cannot be read.
 */
const PLAIN = new Set(['Error', 'ReplyError', 'TimeoutError']);
/** Tokens, keys and their hashes are long words; what is said of an error is not. */
const LONG_WORD = /[\w.~+/=%-]{32,}/g;
const PLAIN_NAME = /^\w[\w.-]{0,63}$/;
const MAX_FRAMES = 12;
/** Where a line of a stack says which code it is about. */
const FRAME = /^ +at /;

export interface ErrorDescription {
  readonly name: string;
  readonly message?: string;
  readonly code?: string;
  /** Where it was thrown. */
  readonly at?: readonly string[];
}

/**
 * What a log may hold of an error: a name, a code, words that are known to be plain, and where it was thrown. Its other
 * members could repeat what the caller sent.
 */
export function describeError(error: unknown, { withStack = false } = {}): ErrorDescription {
  if (!(error instanceof Error)) return { name: typeof error };
  const name = plain(error.name) ?? 'Error';
  const code = plain((error as NodeJS.ErrnoException).code);
  const message = messageOf(error, name);
  return {
    name,
    ...(message !== null && { message }),
    ...(code !== null && { code }),
    ...(withStack && { at: framesOf(error) }),
  };
}

/** The system and TLS put addresses into their words. */
function messageOf(error: Error, name: string): string | null {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (typeof syscall === 'string') return `${plain(syscall) ?? '?'} ${plain(code) ?? ''}`.trim();
  if (typeof code === 'string' && code.startsWith('ERR_TLS')) {
    return 'the certificate is not accepted';
  }
  const words = String(error.message);
  if (OWN.has(name)) return words;
  return PLAIN.has(name) ? words.slice(0, 512).replace(LONG_WORD, '…') : null;
}

/** The lines of a stack behind the message, which may have lines of its own that look alike. */
function framesOf({ stack, message }: Error): string[] {
  if (typeof stack !== 'string' || !stack.includes(message)) return [];
  const behind = stack.slice(stack.indexOf(message) + message.length);
  const frames = behind.split('\n').filter((line) => FRAME.test(line));
  return frames.slice(0, MAX_FRAMES).map((line) => line.replace(FRAME, '').slice(0, 200));
}

function plain(word: unknown): string | null {
  return typeof word === 'string' && PLAIN_NAME.test(word) ? word : null;
}
