import { describeWith } from '../../support/tools.js';
import { describeBrowser } from './browser.js';

describeWith('firefox-esr', 'the SDK in Firefox', (path) => describeBrowser('firefox', path));
