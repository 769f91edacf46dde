/** A table of two columns for a terminal. */
export function tableOf(
  rows: readonly (readonly [name: string, value: string | number])[],
): string {
  const texts = rows.map(([name, value]) => [name, String(value)] as const);
  const width = Math.max(...texts.map(([name]) => name.length));
  const valueWidth = Math.max(...texts.map(([, value]) => value.length));
  return texts
    .map(([name, value]) => `${name.padEnd(width)}  ${value.padStart(valueWidth)}`)
    .join('\n');
}
