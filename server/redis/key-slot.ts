export const SLOTS = 16_384;

/** CRC-16/XMODEM, a value for each byte. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

/**
 * The slot of a key: "if the key contains a "{...}" pattern only the substring between { and } is hashed" (Redis Cluster
 * specification, hash tags; the first one, and only if it is not empty).
 */
export function slotOf(key: string): number {
  const opened = key.indexOf('{');
  const closed = key.indexOf('}', opened + 1);
  const hashed = opened < 0 || closed <= opened + 1 ? key : key.slice(opened + 1, closed);
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] as number);
  }
  return crc % SLOTS;
}
