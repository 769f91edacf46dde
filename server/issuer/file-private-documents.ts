import { join } from 'node:path';
import type { PrivateDocument, PrivateDocuments } from './private-document.js';
import {
  changePrivateFile,
  createPrivateFile,
  preparePrivateFolder,
  readPrivateFile,
  readPrivateFileNow,
  versionOfPrivateFile,
  versionOfPrivateFileNow,
} from './private-file.js';

const LOCK_PATIENCE_MS = 2_000;

/** Keeps them as files for their owner alone, in the folder `issuer` of a data folder. */
export function filePrivateDocuments(
  dataDir: string,
  lockPatienceMs = LOCK_PATIENCE_MS,
): PrivateDocuments {
  const folder = join(dataDir, 'issuer');
  return {
    place: dataDir,
    keys: filePrivateDocument(join(folder, 'keys.json'), lockPatienceMs),
    clients: filePrivateDocument(join(folder, 'clients.json'), lockPatienceMs),
    prepare: () => preparePrivateFolder(folder),
    exist: async () => (await versionOfPrivateFile(folder)) !== null,
  };
}

/** @param lockPatienceMs how long to wait for a change that another process makes */
export function filePrivateDocument(
  path: string,
  lockPatienceMs = LOCK_PATIENCE_MS,
): PrivateDocument {
  return {
    name: path,
    read: () => readPrivateFile(path),
    version: () => versionOfPrivateFile(path),
    readNow: () => readPrivateFileNow(path),
    versionNow: () => versionOfPrivateFileNow(path),
    create: (text) => createPrivateFile(path, text),
    change: (change) => changePrivateFile(path, change, lockPatienceMs),
  };
}
