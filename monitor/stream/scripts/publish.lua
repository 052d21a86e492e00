#!lua flags=allow-oom
-- Items that were judged: acknowledged in `items`, what matters put onto `matches`, and
-- why the others do not onto `notes`.  An item that was acknowledged before is passed
-- over, so this may be repeated.
--
-- KEYS  items, matches, notes, then for each match: matched:<post>
-- ARGV  wire, group, seconds that matched:<post> is kept,
--       number of items with nothing to say of them, their ids,
--       number of items with a note, each: id, note,
--       then for each match: id, item is new, has rules, is late, match, and the note
--       that stands for it if it has no rules, and nothing to correct
-- Answer: how many matches were added
local wire, group, keep, plain = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
redis.call('XLEN', KEYS[2])  -- of another type: end before the first write
redis.call('XLEN', KEYS[3])
if plain > 0 then redis.call('XACK', KEYS[1], group, unpack(ARGV, 5, 4 + plain)) end

local noted = tonumber(ARGV[5 + plain])
local at = 6 + plain
for _ = 1, noted do
  if redis.call('XACK', KEYS[1], group, ARGV[at]) == 1 then
    redis.call('XADD', KEYS[3], '*', wire, ARGV[at + 1])
  end
  at = at + 2
end

local added = 0
for n = 4, #KEYS do
  local new, matters, late = ARGV[at + 1] == '1', ARGV[at + 2] == '1', ARGV[at + 3] == '1'
  local match = ARGV[at + 4]
  local was = not new and redis.call('GET', KEYS[n])
  local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) == 1
  if fresh and (matters or was) then
    if was or late then
      local fields = {wire, match}
      if was then fields[#fields + 1] = 'was'; fields[#fields + 1] = was end
      if late then fields[#fields + 1] = 'late'; fields[#fields + 1] = '1' end
      redis.call('XADD', KEYS[2], '*', unpack(fields))
    else
      redis.call('XADD', KEYS[2], '*', wire, match)
    end
    if matters then redis.call('SET', KEYS[n], match, 'EX', keep) end
    added = added + 1
  elseif fresh and ARGV[at + 5] ~= '' then
    redis.call('XADD', KEYS[3], '*', wire, ARGV[at + 5])
  end
  at = at + 6
end
return added
