import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { SWITCHES } from '../mutation/switches.js';
import { codeOf, ROOT, readDocument, tableRows } from './markdown.js';

const PAGE = readDocument('docs/security.md');

describe('docs/security.md', () => {
  it('names each check that can be switched off, where it is, and the test that notices', () => {
    const rows = tableRows(PAGE, 'switches').map(([check, file, test, title]) => ({
      name: check,
      file: codeOf(file),
      test: codeOf(test),
      title,
    }));
    expect(rows).toEqual(
      SWITCHES.map(({ name, file, test, title }) => ({ name, file, test, title: cell(title) })),
    );
  });

  it.each(SWITCHES)('tells where $name is checked', ({ file, code, off, test }) => {
    expect(readDocument(file).split(code)).toHaveLength(2);
    expect(off).not.toBe(code);
    expect(existsSync(join(ROOT, test))).toBe(true);
  });
});

/** As a table can hold it. */
function cell(text: string): string {
  return text.replaceAll('|', '¦').trim();
}
