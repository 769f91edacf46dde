import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PrivateDocuments } from '../../server/issuer/private-document.js';
import { until } from '../support/until.js';

/** How the suite gets what several processes see. */
export interface PrivateDocumentsDriver {
  /** The same documents each time, as another process opens them; none in the beginning. */
  open(): Promise<PrivateDocuments>;
  dispose(): Promise<void>;
}

/** A character of each length in UTF-8. */
const TEXT = '{"a":"a\u00e9\u20ac\u{1f600}"}\n';

/** What every adapter of the `PrivateDocuments` port must do. */
export function describePrivateDocuments(
  name: string,
  createDriver: () => PrivateDocumentsDriver,
): void {
  describe(`${name} as the place of an issuer's documents`, () => {
    let driver: PrivateDocumentsDriver;
    let here: PrivateDocuments;
    let there: PrivateDocuments;

    beforeEach(async () => {
      driver = createDriver();
      here = await driver.open();
      there = await driver.open();
    });
    afterEach(() => driver.dispose());

    it('holds none until one is made', async () => {
      expect(await here.exist()).toBe(false);
      await here.prepare();
      expect(await here.keys.read()).toBeNull();
      expect(await here.keys.version()).toBeNull();
      expect(here.keys.versionNow()).toBeNull();
      expect(here.keys.readNow()).toBeNull();
    });

    it('gives each back as it was made, to everybody', async () => {
      await here.prepare();
      await here.keys.create(TEXT);
      await there.clients.create('');
      for (const documents of [here, there]) {
        expect(await documents.exist()).toBe(true);
        const keys = await documents.keys.read();
        expect(keys?.text).toBe(TEXT);
        expect(await documents.keys.version()).toBe(keys?.version);
        expect((await documents.clients.read())?.text).toBe('');
      }
    });

    it('keeps the first of those that make one at once', async () => {
      await here.prepare();
      await Promise.all([here.keys.create('a'), there.keys.create('b')]);
      const first = await here.keys.read();
      await there.keys.create('c');
      expect(await there.keys.read()).toEqual(first);
    });

    it('makes one by a change, too', async () => {
      await here.prepare();
      await here.clients.change((text) => `${text}, then this`);
      expect((await there.clients.read())?.text).toBe('null, then this');
    });

    it('has another version after each change, also by the same text', async () => {
      await here.prepare();
      await here.keys.create('a');
      const versions = [await there.keys.version()];
      for (const text of ['b', 'b', 'a']) {
        await here.keys.change(() => text);
        versions.push(await there.keys.version());
      }
      expect(new Set(versions).size).toBe(4);
    });

    it('loses none of the changes that come at once', async () => {
      await here.prepare();
      await here.keys.create('');
      const changing = Array.from({ length: 12 }, (_, n) =>
        (n % 2 === 0 ? here : there).keys.change((text) => `${text}${n},`),
      );
      await Promise.all(changing);
      const numbers = (await here.keys.read())?.text.split(',').slice(0, -1).map(Number) ?? [];
      expect(numbers.toSorted((one, other) => one - other)).toEqual(
        Array.from({ length: 12 }, (_, n) => n),
      );
    });

    it('is as it was after a change that fails, and can be changed', async () => {
      await here.prepare();
      await here.keys.create('a');
      const before = await here.keys.read();
      const failing = here.keys.change(() => {
        throw new Error('no such change');
      });
      await expect(failing).rejects.toThrow('no such change');
      expect(await here.keys.read()).toEqual(before);
      await there.keys.change((text) => `${text}b`);
      expect((await here.keys.read())?.text).toBe('ab');
    });

    it('shows a change to those who cannot wait within a second', async () => {
      await here.prepare();
      await here.keys.create('a');
      expect((await there.keys.read())?.text).toBe('a');
      await here.keys.change(() => 'b');
      const version = await here.keys.version();
      await until('the change', () => there.keys.versionNow() === version, 1_000);
      expect(there.keys.readNow()).toEqual({ text: 'b', version });
    });
  });
}
