#!lua flags=allow-oom
-- Removes what every group of a stream has acknowledged, and nothing else: never by
-- length.  A stream without all of its groups is left alone.
--
-- KEYS  queue    ARGV  names of its groups    Answer: how many entries were removed
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end

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
for _, name in ipairs(ARGV) do
  if not there[name] then return 0 end
end
if not safe then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', safe)
