/** The part of the text that is in memory. */
export interface Text {
  bytes: Uint8Array;
  /** Nothing before it is looked at: what stood there was a secret, or is out of sight. */
  floor: number;
  end: number;
  /** Nothing follows `end`. */
  isLast: boolean;
}

/** Instead of a position: it does not match. */
export const NO = -1;
/** Instead of a position: what follows must be seen first. */
export const MORE = -2;

/** For each byte whether it is one of those. */
export function tableOf(test: (char: string) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (test(String.fromCharCode(code)) ? 1 : 0));
}

export const IS_BASE64URL = tableOf((char) => /[A-Za-z0-9_-]/.test(char));
/** Of the credentials after a scheme (token68 of RFC 9110), without the padding. */
export const IS_TOKEN68 = tableOf((char) => /[A-Za-z0-9._~+/-]/.test(char));

/** The value of a hexadecimal digit; 255 for what is none. */
export const HEX = Uint8Array.from({ length: 256 }, (_, code) => {
  const char = String.fromCharCode(code);
  return /[0-9A-Fa-f]/.test(char) ? Number.parseInt(char, 16) : 255;
});

export function codeOf(char: string): number {
  return char.charCodeAt(0);
}
