/** What stands in every token that a test sends, over and over: any piece of a token of 15 characters holds it once. */
const MARK = 'MARKq7Zx';

/** A token in the shape of a JWT that nobody has signed. */
export function markedJwt(): string {
  return ['eyJ', 'eyJ', ''].map((start) => start + MARK.repeat(8)).join('.');
}

/** A token in the shape of a stream token: 43 characters, which a workspace or a request's name could be made of too. */
export function markedOpaque(): string {
  return MARK.repeat(6).slice(0, 43);
}

/** A claim that puts the mark into a token that is signed. */
export const MARKED_CLAIM = { mark: MARK.repeat(8) };

/** Where a mark was found. */
export interface Leak {
  readonly where: string;
  /** In which form it stood there. */
  readonly form: string;
  /** What stands around it. */
  readonly around: string;
}

/** The forms in which a program may write what it was sent; all in lower case. */
const FORMS: ReadonlyMap<string, string> = new Map(
  [
    ['plain', MARK],
    ['percent-encoded', eachByte((hex) => `%${hex}`)],
    ['twice percent-encoded', eachByte((hex) => `%25${hex}`)],
    ['hexadecimal', eachByte((hex) => hex)],
    ['hexadecimal, with spaces', eachByte((hex) => `${hex} `).trim()],
    ['escaped by \\x', eachByte((hex) => `\\x${hex}`)],
    ['escaped by \\u', eachByte((hex) => `\\u00${hex}`)],
    ['escaped by #', eachByte((hex) => `#${hex}`)],
    ['octal', eachByte((hex) => `\\${Number.parseInt(hex, 16).toString(8)}`)],
    ['HTML', eachByte((hex) => `&#${Number.parseInt(hex, 16)};`)],
    ['UTF-16, low byte first', [...MARK].join('\0')],
    ...[0, 1, 2].map((shift) => [`base64, ${shift} bytes on`, base64Core(shift)]),
  ].map(([form = '', text = '']) => [form, text.toLowerCase()]),
);

/**
 * Looks through every byte for the mark, in all forms and in any case.
 * @param secrets further texts that must not be there: what was signed with a mark inside.
 */
export function findLeaks(
  outputs: ReadonlyMap<string, Buffer>,
  secrets: readonly string[] = [],
): Leak[] {
  const wanted = [
    ...FORMS,
    ...secrets.map((secret) => ['a secret', secret.toLowerCase()] as const),
  ];
  return [...outputs].flatMap(([where, bytes]) => {
    const text = bytes.toString('latin1').toLowerCase();
    return wanted.flatMap(([form, pattern]) => {
      const at = text.indexOf(pattern);
      if (at < 0) return [];
      const around = bytes.toString('latin1', Math.max(0, at - 120), at + 80);
      return [{ where, form, around }];
    });
  });
}

function eachByte(write: (hex: string) => string): string {
  return [...Buffer.from(MARK)].map((byte) => write(byte.toString(16).padStart(2, '0'))).join('');
}

/** What base64 makes of the mark where `shift` bytes stand before it, without what its neighbours have a say in. */
function base64Core(shift: number): string {
  const text = Buffer.from('\0'.repeat(shift) + MARK).toString('base64url');
  const whole = Math.floor(((shift + MARK.length) * 8) / 6);
  return text.slice(Math.ceil((shift * 8) / 6), whole);
}
