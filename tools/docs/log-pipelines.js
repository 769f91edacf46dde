import { RECIPE_PATTERNS } from '../../server/dist/scrub/recipe-patterns.js';
import {
  BARE_BEGINNING,
  BARE_LEAST,
  BARE_SCHEMES,
  JWT_BEGINNING,
  MARK,
  SCHEMES,
  SECRET_LEAST,
  SECRET_PREFIXES,
  SECRET_WORDS,
  TOKEN_WORDS,
  WHOLE_TOKEN_WORDS,
} from '../../server/dist/scrub/rules.js';

const ABOUT = [
  'Made by `npm run docs` from server/scrub/rules.ts. Change that.',
  'Takes tokens and client secrets out of log lines, as `sluice scrub` does; docs/scrub.md tells where these patterns are weaker.',
];
const CHECKED =
  'The patterns are tested against the corpus of the filter. This file has not been run by';

/** @type {(sign: string, program: string, more?: readonly string[]) => string} */
const header = (sign, program, more = []) =>
  [...ABOUT, `${CHECKED} ${program} here.`, ...more].map((line) => `${sign} ${line}\n`).join('');

/** @type {() => Map<string, string>} Every file by its path. */
export function logPipelineFiles() {
  return new Map([
    ['ops/log-pipelines/vector.yaml', vector()],
    ['ops/log-pipelines/logstash.conf', logstash()],
    ['ops/log-pipelines/otel-collector.yaml', otelCollector()],
    ['ops/log-pipelines/fluent-bit.lua', fluentBitScript()],
    ['ops/log-pipelines/fluent-bit.conf', fluentBit()],
    ['ops/log-pipelines/journald-scrubbed.service', journald()],
  ]);
}

function vector() {
  // In a configuration of Vector, `$$` is a dollar sign.
  const lines = RECIPE_PATTERNS.map(({ name, pattern, keeps }) => {
    const replacement = keeps ? `$\${1}${MARK}` : MARK;
    return `      # ${name}\n      text = replace(text, r'${pattern.replaceAll('$', '$$$$')}', "${replacement}")\n`;
  });
  return `${header('#', 'Vector', ['Set `inputs` to your sources. What is not text in `.message` passes as it is.'])}
transforms:
  scrub:
    type: remap
    inputs: ["your-source"]
    drop_on_error: true
    source: |
      text = string!(.message)
${lines.join('')}      .message = text
`;
}

function logstash() {
  const rows = RECIPE_PATTERNS.map(({ name, pattern, keeps }) => {
    const replacement = keeps ? `\\1${MARK}` : MARK;
    return `      # ${name}\n      "message", "${pattern}", "${replacement}"`;
  });
  return `${header('#', 'Logstash', ['`event.original` holds the line as it came, and is removed.'])}
filter {
  mutate {
    gsub => [
${rows.join(',\n')}
    ]
  }
  mutate { remove_field => ["[event][original]"] }
}
`;
}

function otelCollector() {
  const statements = RECIPE_PATTERNS.map(({ name, pattern, keeps }) => {
    // A string of OTTL reads `\\\\` as one backslash; in the collector's configuration, \`$$\` is a dollar sign.
    const escaped = pattern.replaceAll('\\', '\\\\').replaceAll('$', '$$$$');
    const replacement = keeps ? `$$\{1}${MARK}` : MARK;
    return `          # ${name}\n          - 'replace_pattern(log.body, "${escaped}", "${replacement}") where IsString(log.body)'\n`;
  });
  return `${header('#', 'the OpenTelemetry Collector', ['Add `transform/scrub` to the processors of each pipeline of logs. It changes bodies that are text; attributes need the same.'])}
processors:
  transform/scrub:
    error_mode: propagate
    log_statements:
      - context: log
        statements:
${statements.join('')}`;
}

/** @type {(text: string) => string} */
const luaWord = (text) =>
  [...text].map((char) => (/[a-z]/.test(char) ? `[${char}${char.toUpperCase()}]` : char)).join('');

function fluentBitScript() {
  const names = [
    ...TOKEN_WORDS.map((first) => `${luaWord(first)}[_%-]?${luaWord('token')}`),
    ...WHOLE_TOKEN_WORDS.map((first) => `%f[%w]${luaWord(first)}[_%-]?${luaWord('token')}`),
    ...SECRET_WORDS.map((first) => `${luaWord(first)}[_%-]?${luaWord('secret')}`),
    `%f[%w_%-]${luaWord('token')}`,
  ];
  return `${[
    ...ABOUT,
    'Tested with LuaJIT against the corpus of the filter, with the exceptions that test/scrub/recipes.test.ts lists; not with Fluent Bit.',
    'Patterns of Lua are weaker: letters that are encoded are written plainly, everywhere, before names are looked for, and a value in',
    'JSON within JSON, or without quotes, ends at its first backslash. Where that is not enough, have Fluent Bit read what',
    '`sluice scrub` wrote.',
  ]
    .map((line) => `-- ${line}\n`)
    .join('')}
local MARK = "${MARK}"
local NAMES = {
${names.map((name) => `  "${name}",\n`).join('')}}
local AUTHORIZATION = "${luaWord('authorization')}"
local SCHEMES = { ${SCHEMES.map((scheme) => `["${scheme}"] = true`).join(', ')} }
local BRACKETS = { "", "%b[]", "%%[25]*5[bB][%w_%-]*%%[25]*5[dD]" }
local ENDS = "%c%s\\"'\`<>&;,|(){}#\\\\%[%]"
local SEPARATOR = "%s*[=:]>?%s*%[?"
local EQUALS = { "=[%[({]?", "%s+=%s*", "%s*:%s*[%[(]?", "%s*=>%s*" }
local ENCODED_SEPARATORS = { "%%[25]*3[aAdD]", "\\\\+u003[aAdD]", "&#61;" }
local ENCODED_QUOTES = { "%%[25]*2[27]", "\\\\+x2[27]", "\\\\+u002[27]", "&quot;" }
local ENCODED_ENDS = { "0", "1", "2[0236789cC]", "3[bBcCeE]", "5[bBcCdD]", "7[bBcCdDfF]" }

local function letter(hex)
  local char = string.char(tonumber(hex, 16))
  if char:match("[%a_]") then return char end
end

local function percentLetter(digits)
  local at = 1
  while digits:find("^25%x%x", at) do at = at + 2 end
  local char = digits:find("^%x%x", at) and letter(digits:sub(at, at + 1))
  return char and char .. digits:sub(at + 2)
end

local function plain(text)
  return (text:gsub("%%(%x+)", percentLetter):gsub("\\\\+u00(%x%x)", letter):gsub("\\\\+x(%x%x)", letter))
end

-- A value within an encoded URL ends at a delimiter that is encoded.
local function untilEnd(before, value)
  local first = #value + 1
  for _, code in ipairs(ENCODED_ENDS) do
    first = math.min(first, value:find("%%[25]*" .. code) or first)
  end
  if first == 1 then return nil end
  return before .. MARK .. value:sub(first)
end

-- What follows the opening up to its quote; a quote after a backslash is a part of it.
local function scrubString(text, opening, quote)
  local parts, from = {}, 1
  while true do
    local first, last = text:find(opening, from)
    if not first then break end
    local stop = last + 1
    while true do
      stop = text:find("[\\\\%c" .. quote .. "]", stop) or #text + 1
      if text:sub(stop, stop) ~= "\\\\" then break end
      stop = stop + 2
    end
    parts[#parts + 1] = text:sub(from, last) .. (stop > last + 1 and MARK or "")
    from = stop
  end
  return table.concat(parts) .. text:sub(from)
end

local function scrubName(text, name, isAlone)
  local named = name .. "\\\\*[\\"']" .. (isAlone and "" or "?") .. SEPARATOR
  text = scrubString(text, named .. '[bu]?"', '"')
  text = scrubString(text, named .. "[bu]?'", "'")
  text = text:gsub("(" .. named .. "\\\\+[\\"'])[^\\"'\\\\%c]+", "%1" .. MARK)
  for index, equals in ipairs(EQUALS) do
    if index == 1 or not isAlone then
      text = text:gsub("(" .. name .. equals .. ")[^" .. ENDS .. "]+", "%1" .. MARK)
    end
  end
  for _, separator in ipairs(ENCODED_SEPARATORS) do
    text = text:gsub("(" .. name .. separator .. ")([^" .. ENDS .. "]+)", untilEnd)
  end
  for _, quote in ipairs(ENCODED_QUOTES) do
    for _, separator in ipairs({ "[=:]", "%%[25]*3[aAdD]" }) do
      text = text:gsub("(" .. name .. quote .. separator .. quote .. ")([^" .. ENDS .. "]+)", untilEnd)
    end
  end
  return text
end

local function scrubHeader(text)
  local header = AUTHORIZATION .. "\\\\*[\\"']?" .. SEPARATOR .. "\\\\*[\\"']?"
  text = text:gsub('(' .. AUTHORIZATION .. '"' .. SEPARATOR .. '")([^"\\\\%c]+)', function(before, value)
    local scheme, blanks = value:match("^(%a+)([%s+]+)")
    if scheme and SCHEMES[scheme:lower()] then return before .. scheme .. blanks .. MARK end
    return before .. MARK
  end)
  text = text:gsub("(" .. header .. ")(%a+)([%s+]+)([^" .. ENDS .. "]+)", function(before, scheme, blanks)
    if SCHEMES[scheme:lower()] then return before .. scheme .. blanks .. MARK end
  end)
  text = text:gsub("(" .. header .. ")(%a+)(%%[25]*20)([^" .. ENDS .. "]+)", function(before, scheme, blanks)
    if SCHEMES[scheme:lower()] then return before .. scheme .. blanks .. MARK end
  end)
  return (text:gsub("(" .. header .. ")([^" .. ENDS .. "]+)", function(before, value)
    local scheme = value:match("^%a+")
    if not scheme or not SCHEMES[scheme:lower()] then return before .. MARK end
  end))
end

-- A word that looks like credentials: long, or with a digit, or with a capital after a small letter.
local function looksSecret(word)
  local beginning = word:sub(1, ${BARE_BEGINNING})
  if #beginning >= ${BARE_BEGINNING} then return true end
  return #beginning >= ${BARE_LEAST} and (beginning:find("%d") or beginning:find("%l%u")) ~= nil
end

local function scrubBare(before, word)
  if looksSecret(word) then return before .. MARK end
end

local function scrub(text)
  text = plain(text)
  for index, name in ipairs(NAMES) do
    if text:find(name) then
      for _, brackets in ipairs(BRACKETS) do
        text = scrubName(text, name .. brackets, index == #NAMES)
      end
    end
  end
  text = scrubHeader(text)
${BARE_SCHEMES.map((scheme) => `  text = text:gsub("(${luaWord(scheme)}[%s+]+)([%w._~+/%-]+=*)", scrubBare)\n`).join('')}  text = text:gsub("${JWT_BEGINNING}[%w_%-]+%.[%w_%-%.]+", MARK)
  text = text:gsub("${JWT_BEGINNING}[%w_%-]+%%[25]*2[eE][%w_%-%.%%]+", MARK)
${SECRET_PREFIXES.map((prefix) => `  text = text:gsub("${prefix}${'[%w_%-]'.repeat(SECRET_LEAST)}[%w_%-]*", MARK)\n`).join('')}  return text
end

function scrub_record(tag, timestamp, record)
  for key, value in pairs(record) do
    if type(value) == "string" then record[key] = scrub(value) end
  end
  return 2, timestamp, record
end
`;
}

function fluentBit() {
  return `${header('#', 'Fluent Bit')}
[FILTER]
    Name    lua
    Match   *
    script  fluent-bit.lua
    call    scrub_record
`;
}

function journald() {
  return `${header('#', 'systemd', [
    'Journald itself changes nothing that it has stored. This unit follows the journal and writes what is scrubbed to a file; have what',
    'ships logs read that file, and not the journal. `.journal` files are binary: do not scrub them in place.',
    'What is logged while this unit does not run is not in the file.',
    'The file holds the lines as the service wrote them (JSON with their own time): --output=json would write a line with a byte that',
    'is not printable as a list of numbers, in which nothing is found.',
  ])}
[Unit]
Description=The journal of Sluice, without tokens
After=systemd-journald.service

[Service]
# Not StandardOutput=append: it is opened before LogsDirectory is there, and as root.
ExecStart=/bin/sh -c 'journalctl --follow --lines=0 --output=cat --unit=sluice.service | sluice scrub >> "$$LOGS_DIRECTORY/scrubbed.log"'
Restart=always
DynamicUser=yes
LogsDirectory=sluice
LogsDirectoryMode=0750
UMask=0027
SupplementaryGroups=systemd-journal
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes

[Install]
WantedBy=multi-user.target
`;
}
