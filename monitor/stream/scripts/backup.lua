#!lua flags=no-writes
-- What keys hold, each with a digest that does not depend on how a server stores it.
-- In one step: what was read before and after a commit would not belong together.
-- It costs some 50 ms a MB, most of it for digests; nobody else is served meanwhile.
--
-- KEYS  epoch, then the keys to look at; if there are none, all that ARGV has
-- ARGV  beginning of all keys, the same as a pattern, bytes of dumps after which to
--       stop; 0: only look, and dump nothing
-- Answer: epoch, keys that were left, for each key: name, kind, ms it still lives or
--         -1, length, digest, dump
local call, sha, concat, sub = redis.call, redis.sha1hex, table.concat, string.sub
local prefix, most = ARGV[1], tonumber(ARGV[3])
local PAGE = 1000

-- Adds texts to a list so that no others make the same of it: "a", "bc"; "ab", "c".
local function put(list, ...)
  for n = 1, select('#', ...) do
    local text = tostring((select(n, ...)))
    list[#list + 1] = #text
    list[#list + 1] = text
  end
end

-- One more thing of those whose order does not count, in 52 bits.
local function sum(before, text)
  return (before + tonumber(sub(sha(text), 1, 13), 16)) % 2 ^ 52
end

local function named(flat)
  local fields = {}
  for n = 1, #flat, 2 do fields[flat[n]] = flat[n + 1] end
  return fields
end

-- Of a stream: what `read` has after an id, page by page; `write` makes texts of it.
local function chained(before, read, write)
  local after = '-'
  repeat
    local page, list = read(after), {before}
    for _, one in ipairs(page) do write(list, one) end
    before = sha(concat(list, ' '))
    after = #page > 0 and '(' .. page[#page][1]
  until #page < PAGE
  return before
end

local look = {}

function look.string(key)
  local text = call('GET', key)
  return #text, sha(text)
end

function look.set(key)
  local all, members = 0, call('SMEMBERS', key)
  for _, member in ipairs(members) do all = sum(all, member) end
  return #members, string.format('%013x', all)
end

function look.hash(key)
  local all, flat = 0, call('HGETALL', key)
  for n = 1, #flat, 2 do all = sum(all, #flat[n] .. ' ' .. flat[n] .. flat[n + 1]) end
  return #flat / 2, string.format('%013x', all)
end

function look.stream(key)
  local about, list = named(call('XINFO', 'STREAM', key)), {}
  put(list, about['last-generated-id'], about['max-deleted-entry-id'],
    about['entries-added'])
  for _, flat in ipairs(call('XINFO', 'GROUPS', key)) do
    local group = named(flat)
    put(list, group.name, group['last-delivered-id'], group['entries-read'])
    for _, consumer in ipairs(call('XINFO', 'CONSUMERS', key, group.name)) do
      put(list, named(consumer).name)
    end
    list[#list + 1] = chained('', function(after)
      return call('XPENDING', key, group.name, after, '+', PAGE)
    end, function(list, one)  -- id, consumer, ms since it was taken, how often
      put(list, one[1], one[2], one[4])
    end)
  end
  return about.length, chained(concat(list, ' '), function(after)
    return call('XRANGE', key, after, '+', 'COUNT', PAGE)
  end, function(list, entry)
    put(list, entry[1], unpack(entry[2]))
  end)
end

local names = {}
for n = 2, #KEYS do names[n - 1] = KEYS[n] end
for _, name in ipairs(#KEYS > 1 and {} or call('KEYS', ARGV[2])) do
  local kind = sub(name, #prefix + 1, #prefix + 6)
  if kind ~= 'lease:' and kind ~= 'stage:' then names[#names + 1] = name end
end

local answer, left, size = {call('GET', KEYS[1]) or '', {}}, {}, 0
for _, name in ipairs(names) do
  local kind = call('TYPE', name).ok
  if size > most then
    left[#left + 1] = sub(name, #prefix + 1)
  elseif look[kind] then
    local length, digest = look[kind](name)
    local dump = most > 0 and call('DUMP', name) or ''
    size = size + #dump
    local n = #answer
    answer[n + 1] = sub(name, #prefix + 1)
    answer[n + 2] = kind
    answer[n + 3] = call('PTTL', name)
    answer[n + 4] = length
    answer[n + 5] = digest
    answer[n + 6] = dump
  elseif kind ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. name .. ' is a ' .. kind)
  end
end
answer[2] = left
return answer
