/** How files begin that hold their text in a packed form, in which no rule finds anything. */
const FORMATS = [
  { name: 'gzip', beginning: [0x1f, 0x8b], unpack: 'zcat' },
  { name: 'zstd', beginning: [0x28, 0xb5, 0x2f, 0xfd], unpack: 'zstdcat' },
  { name: 'xz', beginning: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], unpack: 'xzcat' },
  { name: 'bzip2', beginning: [0x42, 0x5a, 0x68], unpack: 'bzcat' },
] as const;

/** So many bytes tell. */
export const LONGEST_BEGINNING = Math.max(...FORMATS.map(({ beginning }) => beginning.length));

export interface PackedFormat {
  readonly name: string;
  /** The program that writes the text to its stdout. */
  readonly unpack: string;
}

/** What a text is packed with, by its first bytes; null if by nothing known. */
export function packedFormatOf(beginning: Uint8Array): PackedFormat | null {
  const found = FORMATS.find((format) =>
    format.beginning.every((byte, index) => beginning[index] === byte),
  );
  // A log may begin with the letters "BZh"; what bzip2 makes goes on with a digit and this number.
  if (found?.name === 'bzip2' && beginning[4] !== 0x31) return null;
  return found ?? null;
}
