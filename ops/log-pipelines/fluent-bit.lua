-- Made by `npm run docs` from server/scrub/rules.ts. Change that.
-- Takes tokens and client secrets out of log lines, as `sluice scrub` does; docs/scrub.md tells where these patterns are weaker.
-- Tested with LuaJIT against the corpus of the filter, with the exceptions that test/scrub/recipes.test.ts lists; not with Fluent Bit.
-- Patterns of Lua are weaker: letters that are encoded are written plainly, everywhere, before names are looked for, and a value in
-- JSON within JSON, or without quotes, ends at its first backslash. Where that is not enough, have Fluent Bit read what
-- `sluice scrub` wrote.

local MARK = "*scrubbed*"
local NAMES = {
  "[aA][cC][cC][eE][sS][sS][_%-]?[tT][oO][kK][eE][nN]",
  "[sS][tT][rR][eE][aA][mM][_%-]?[tT][oO][kK][eE][nN]",
  "[rR][eE][fF][rR][eE][sS][hH][_%-]?[tT][oO][kK][eE][nN]",
  "[aA][uU][tT][hH][_%-]?[tT][oO][kK][eE][nN]",
  "[sS][uU][bB][jJ][eE][cC][tT][_%-]?[tT][oO][kK][eE][nN]",
  "[aA][cC][tT][oO][rR][_%-]?[tT][oO][kK][eE][nN]",
  "[sS][lL][uU][iI][cC][eE][_%-]?[tT][oO][kK][eE][nN]",
  "[aA][uU][tT][hH][zZ][eE][nN][_%-]?[tT][oO][kK][eE][nN]",
  "%f[%w][iI][dD][_%-]?[tT][oO][kK][eE][nN]",
  "[cC][lL][iI][eE][nN][tT][_%-]?[sS][eE][cC][rR][eE][tT]",
  "[jJ][wW][tT][_%-]?[sS][eE][cC][rR][eE][tT]",
  "[kK][eE][yY][_%-]?[sS][eE][cC][rR][eE][tT]",
  "%f[%w_%-][tT][oO][kK][eE][nN]",
}
local AUTHORIZATION = "[aA][uU][tT][hH][oO][rR][iI][zZ][aA][tT][iI][oO][nN]"
local SCHEMES = { ["basic"] = true, ["bearer"] = true, ["digest"] = true, ["dpop"] = true, ["negotiate"] = true, ["ntlm"] = true, ["oauth"] = true, ["token"] = true, ["apikey"] = true }
local BRACKETS = { "", "%b[]", "%%[25]*5[bB][%w_%-]*%%[25]*5[dD]" }
local ENDS = "%c%s\"'`<>&;,|(){}#\\%[%]"
local SEPARATOR = "%s*[=:]>?%s*%[?"
local EQUALS = { "=[%[({]?", "%s+=%s*", "%s*:%s*[%[(]?", "%s*=>%s*" }
local ENCODED_SEPARATORS = { "%%[25]*3[aAdD]", "\\+u003[aAdD]", "&#61;" }
local ENCODED_QUOTES = { "%%[25]*2[27]", "\\+x2[27]", "\\+u002[27]", "&quot;" }
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
  return (text:gsub("%%(%x+)", percentLetter):gsub("\\+u00(%x%x)", letter):gsub("\\+x(%x%x)", letter))
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
      stop = text:find("[\\%c" .. quote .. "]", stop) or #text + 1
      if text:sub(stop, stop) ~= "\\" then break end
      stop = stop + 2
    end
    parts[#parts + 1] = text:sub(from, last) .. (stop > last + 1 and MARK or "")
    from = stop
  end
  return table.concat(parts) .. text:sub(from)
end

local function scrubName(text, name, isAlone)
  local named = name .. "\\*[\"']" .. (isAlone and "" or "?") .. SEPARATOR
  text = scrubString(text, named .. '[bu]?"', '"')
  text = scrubString(text, named .. "[bu]?'", "'")
  text = text:gsub("(" .. named .. "\\+[\"'])[^\"'\\%c]+", "%1" .. MARK)
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
  local header = AUTHORIZATION .. "\\*[\"']?" .. SEPARATOR .. "\\*[\"']?"
  text = text:gsub('(' .. AUTHORIZATION .. '"' .. SEPARATOR .. '")([^"\\%c]+)', function(before, value)
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
  local beginning = word:sub(1, 32)
  if #beginning >= 32 then return true end
  return #beginning >= 9 and (beginning:find("%d") or beginning:find("%l%u")) ~= nil
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
  text = text:gsub("([bB][eE][aA][rR][eE][rR][%s+]+)([%w._~+/%-]+=*)", scrubBare)
  text = text:gsub("([bB][aA][sS][iI][cC][%s+]+)([%w._~+/%-]+=*)", scrubBare)
  text = text:gsub("eyJ[%w_%-]+%.[%w_%-%.]+", MARK)
  text = text:gsub("eyJ[%w_%-]+%%[25]*2[eE][%w_%-%.%%]+", MARK)
  text = text:gsub("sst_[%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-]*", MARK)
  text = text:gsub("scs_[%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-][%w_%-]*", MARK)
  return text
end

function scrub_record(tag, timestamp, record)
  for key, value in pairs(record) do
    if type(value) == "string" then record[key] = scrub(value) end
  end
  return 2, timestamp, record
end
