/** What server/package.json says; a test holds the two together, as the built file lies elsewhere than its source. */
export const VERSION = '0.1.0';
