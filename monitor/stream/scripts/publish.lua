#!lua flags=allow-oom
-- Items that were judged: acknowledged in `items`, and what matters put onto `matches`.
-- An item that was acknowledged before is passed over, so this may be repeated.
--
-- KEYS  items, matches, then for each match: matched:<post>
-- ARGV  wire, group, seconds that matched:<post> is kept, number of items that matter
--       to nobody, their ids, then for each match: id, item is new, has rules, match
-- Answer: how many matches were added
local wire, group, keep, plain = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('XLEN', KEYS[2])  -- of another type: end before the first write
if plain > 0 then redis.call('XACK', KEYS[1], group, unpack(ARGV, 5, 4 + plain)) end

local added = 0
for n = 3, #KEYS do
  local at = 5 + plain + (n - 3) * 4
  local new, matters, match = ARGV[at + 1] == '1', ARGV[at + 2] == '1', ARGV[at + 3]
  local was = not new and redis.call('GET', KEYS[n])
  if redis.call('XACK', KEYS[1], group, ARGV[at]) == 1 and (matters or was) then
    if was then
      redis.call('XADD', KEYS[2], '*', wire, match, 'was', was)
    else
      redis.call('XADD', KEYS[2], '*', wire, match)
    end
    if matters then redis.call('SET', KEYS[n], match, 'EX', keep) end
    added = added + 1
  end
end
return added
