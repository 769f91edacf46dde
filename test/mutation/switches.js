import { ADMISSION_SWITCHES } from './switches/admission.js';
import { DOOR_SWITCHES } from './switches/door.js';
import { ISSUER_SWITCHES } from './switches/issuer.js';
import { PERMISSION_SWITCHES } from './switches/permission.js';
import { SHARED_SWITCHES } from './switches/shared.js';
import { TOKEN_SWITCHES } from './switches/token.js';

/** @type {readonly import('./switches.d.ts').Switch[]} */
export const SWITCHES = [
  ...TOKEN_SWITCHES,
  ...PERMISSION_SWITCHES,
  ...ADMISSION_SWITCHES,
  ...DOOR_SWITCHES,
  ...ISSUER_SWITCHES,
  ...SHARED_SWITCHES,
];
