import { SETTING_GROUPS } from '../../server/dist/config/settings.js';

const BEGIN = '<!-- Made by `npm run docs` from server/config/settings. Change those. -->\n';
const END = '<!-- End of what is made from server/config/settings. -->\n';

/** @typedef {import('../../server/dist/config/setting.js').Setting} Setting */

/**
 * docs/configuration.md with the tables of settings as the code has them; what is around them is written by hand.
 * @type {(page: string) => string}
 */
export function withSettingTables(page) {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error('docs/configuration.md does not say where the tables of settings go');
  }
  const tables = SETTING_GROUPS.map(({ id, title, about, settings }) => {
    const intro = about === '' ? '' : `${codeNames(about)}\n\n`;
    return `### ${title}\n\n${intro}<!-- settings-${id} -->
| name | meaning | default | bounds |
|---|---|---|---|
${settings.map(row).join('')}\n`;
  });
  return `${page.slice(0, begin)}${BEGIN}\n${tables.join('')}${page.slice(end)}`;
}

/** @type {() => string} .env.example: every setting at its default, as a comment. */
export function envExample() {
  const head = `# Made by npm run docs from server/config/settings.
# Settings of Sluice, each at its default. docs/configuration.md says what they mean and which exclude each other.
# Take the mark off a line to change it. What follows "=" is the value, to the end of the line.
`;
  const groups = SETTING_GROUPS.map(({ title, about, settings }) => {
    const lines = settings.map(({ name, fallback, isSecret }) => {
      const inFile = isSecret ? `# ${name}_FILE=\n` : '';
      return `# ${name}=${fallback}\n${inFile}`;
    });
    return `\n# ${title}${about === '' ? '' : `. ${about}`}\n${lines.join('')}`;
  });
  return head + groups.join('');
}

/** @type {(setting: Setting) => string} */
function row({ name, meaning, fallback, fallbackWith, bounds, isSecret, needs }) {
  const inFile = isSecret ? ` It may be in a file: \`${name}_FILE\`.` : '';
  const others = Object.entries(fallbackWith).map(
    ([other, value]) => `; \`${value}\` with \`${other}\``,
  );
  const cells = [
    `\`${name}\``,
    meaning + inFile,
    (fallback === '' ? '(none)' : `\`${fallback}\``) + others.join(''),
    bounds + (needs === null ? '' : `; needs \`${needs.name}\``),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`;
}

/** @type {(text: string) => string} */
function codeNames(text) {
  return text.replace(/\b[A-Z]+_[A-Z_]+\b/g, '`$&`');
}
