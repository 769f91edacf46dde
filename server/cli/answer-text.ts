const MAX_BYTES = 65_536;

/** Reads the body of an answer, which may be of any length, up to a bound; what lies behind it is cut off. */
export async function readAnswerText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > MAX_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BYTES).toString('utf8');
}
