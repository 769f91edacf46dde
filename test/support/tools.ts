import { describe, it } from '@jest/globals';
import { TOOLS_VARIABLE, type Tool, type ToolName } from './global-setup.js';

export type { Tool, ToolName };

/** What the global set-up found out about a program. */
export function findTool(name: ToolName): Tool {
  const found = JSON.parse(process.env[TOOLS_VARIABLE] ?? '{}') as Partial<Record<ToolName, Tool>>;
  return found[name] ?? { missing: 'the global set-up has not run' };
}

/**
 * Stands for a test that cannot run here, and says so in its title: skipped on a developer's machine, a failure under
 * `CI=true`, so that nothing goes untested unnoticed.
 */
export function itCannotRun(why: string): void {
  const reason = `COULD NOT RUN: ${why}`;
  if (process.env['CI'] !== 'true') {
    it.skip(reason, () => {});
    return;
  }
  it(reason, () => {
    throw new Error(reason);
  });
}

/** A `describe` whose tests need a program. Where it cannot be had, one test says so. */
export function describeWith(name: ToolName, title: string, define: (path: string) => void): void {
  const tool = findTool(name);
  describe(title, () => {
    if ('path' in tool) {
      define(tool.path);
      return;
    }
    itCannotRun(`${name} is missing: ${tool.missing}`);
  });
}
