#!lua flags=allow-oom
-- Removes what every group of a stream has acknowledged, and nothing else: never by
-- length.  A stream without all of its groups is left alone.
--
-- It keeps account of what it removed, as no ACL forbids others to do so with XADD and
-- MAXLEN: entries that were added, are not there and were not removed here, are missing.
--
-- KEYS  queue, removed    ARGV  the queue's name, names of its groups
-- Answer: how many entries were removed
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end

local about = redis.call('XINFO', 'STREAM', KEYS[1])
local stream = {}
for n = 1, #about, 2 do stream[about[n]] = about[n + 1] end
local added, gone = stream['entries-added'], stream['entries-added'] - stream.length
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then
  local known_gone, known_added = string.match(known, '^(%d+) of (%d+)$')
  local missing = gone - known_gone
  if added < tonumber(known_added) then  -- it was deleted, with what was in it
    missing = known_added - known_gone + gone
  end
  if missing > 0 then redis.call('HINCRBY', KEYS[2], ARGV[1] .. '!', missing) end
end

local function earlier(a, b)  -- ids as numbers: as texts, 9-0 would come after 10-0
  local a_ms, a_n = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_n = string.match(b, '^(%d+)-(%d+)$')
  if a_ms ~= b_ms then return tonumber(a_ms) < tonumber(b_ms) end
  return tonumber(a_n) < tonumber(b_n)
end

local there, safe = {}, nil
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for n = 1, #flat, 2 do group[flat[n]] = flat[n + 1] end
  there[group.name] = true
  local first = group['last-delivered-id']  -- stays, though it may be acknowledged
  if group.pending > 0 then
    first = redis.call('XPENDING', KEYS[1], group.name)[2]
  end
  if not safe or earlier(first, safe) then safe = first end
end
for n = 2, #ARGV do
  if not there[ARGV[n]] then safe = nil end
end
local removed = safe and redis.call('XTRIM', KEYS[1], 'MINID', '~', safe) or 0
local now = string.format('%d of %d', gone + removed, added)
if now ~= known then redis.call('HSET', KEYS[2], ARGV[1], now) end
return removed
