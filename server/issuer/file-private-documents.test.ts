import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describePrivateDocuments } from '../../test/contracts/private-documents.contract.js';
import { filePrivateDocuments } from './file-private-documents.js';

describePrivateDocuments('a data folder', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-documents-'));
  return {
    open: async () => filePrivateDocuments(dataDir),
    dispose: () => rm(dataDir, { recursive: true }),
  };
});
