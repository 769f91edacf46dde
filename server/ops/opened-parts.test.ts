import { describe, expect, it } from '@jest/globals';
import { OpenedParts } from './opened-parts.js';

describe('opened parts', () => {
  const closed: string[] = [];
  const part = async (name: string) => ({
    name,
    close: async () => {
      closed.push(name);
    },
  });

  it('are closed in the reverse order of their opening, once', async () => {
    closed.length = 0;
    const opened = new OpenedParts();
    expect((await opened.add(part('log'))).name).toBe('log');
    await opened.add(part('hub'));
    await opened.close();
    await opened.close();
    expect(closed).toEqual(['hub', 'log']);
  });

  it('are closed when a later one cannot be opened', async () => {
    closed.length = 0;
    const opened = new OpenedParts();
    await opened.add(part('log'));
    await expect(opened.add(Promise.reject(new Error('in use')))).rejects.toThrow('in use');
    expect(closed).toEqual(['log']);
  });
});
