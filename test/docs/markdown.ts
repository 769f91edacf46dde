import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

// What the tests read from the project's documents: tables and code blocks, some of them named by a comment before them.

export const ROOT = join(import.meta.dirname, '../..');

export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The README files, and every page of docs/. */
export function documentPaths(): readonly string[] {
  const readme = readdirSync(ROOT).filter((name) => name === 'README.md');
  const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
  return [...readme, 'sdk/README.md', ...pages.map((name) => `docs/${name}`)];
}

export interface CodeBlock {
  /** What stands behind the opening fence: `ts`. */
  readonly language: string;
  readonly code: string;
  /** Names of the comments `<!-- name -->` directly before it. */
  readonly marks: readonly string[];
  /** Line of the opening fence, from 1. */
  readonly line: number;
}

const FENCE = /^( *)(`{3,})([^\s`]*)[^`]*$/;
const MARK = /^<!-- ([\w-]+) -->$/;

/** The fenced code blocks. @throws Error for one that does not end, or that lies within a list. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const lines = markdown.split('\n');
  const blocks: CodeBlock[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', fence, language = ''] = FENCE.exec(lines[at] as string) ?? [];
    if (fence === undefined) continue;
    if (indent !== '') throw new Error(`the code block in line ${at + 1} is indented`);
    const end = lines.indexOf(fence, at + 1);
    if (end < 0) throw new Error(`the code block in line ${at + 1} does not end`);
    const code = lines.slice(at + 1, end).join('\n');
    blocks.push({ language, code: `${code}\n`, marks: marksBefore(lines, at), line: at + 1 });
    at = end;
  }
  return blocks;
}

/** The rows of the table behind the comment `<!-- name -->`, without its head; the cells as they are written. */
export function tableRows(markdown: string, name: string): string[][] {
  const lines = markdown.split('\n');
  const starts = lines.flatMap((line, at) => (MARK.exec(line)?.[1] === name ? [at + 1] : []));
  const [start] = starts;
  if (start === undefined || starts.length > 1) {
    throw new Error(`there are ${starts.length} tables marked ${name}`);
  }
  const end = lines.findIndex((line, at) => at >= start && !line.startsWith('|'));
  const [head, rule, ...rows] = lines.slice(start, end < 0 ? undefined : end).map(cellsOf);
  if (head === undefined || !rule?.every((cell) => /^:?-+:?$/.test(cell)) || rows.length === 0) {
    throw new Error(`what is marked ${name} is no table`);
  }
  const uneven = rows.find((cells) => cells.length !== head.length);
  if (uneven !== undefined) throw new Error(`the row ${uneven[0]} has ${uneven.length} cells`);
  return rows;
}

/** The text of a cell that is one span of code; `null` for any other. */
export function codeOf(cell: string | undefined): string | null {
  return /^`([^`]+)`$/.exec(cell ?? '')?.[1] ?? null;
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\||\|$/g, '')
    .split('|')
    .map((cell) => cell.trim());
}

function marksBefore(lines: readonly string[], at: number): string[] {
  const marks: string[] = [];
  for (let before = at - 1; before >= 0; before--) {
    const mark = MARK.exec(lines[before] as string)?.[1];
    if (mark === undefined) break;
    marks.unshift(mark);
  }
  return marks;
}
