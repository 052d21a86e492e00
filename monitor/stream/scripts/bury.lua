#!lua flags=allow-oom
-- An entry that nobody can work on: acknowledged, and put onto `dead` as it is.
--
-- KEYS  queue, dead, notes
-- ARGV  group, id, delete it from the queue, wire, a note or nothing, then fields that
--       say why
-- Answer: 1, or 0 if it was acknowledged before
redis.call('XLEN', KEYS[2])  -- of another type: end before the first write
redis.call('XLEN', KEYS[3])
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
local fields = {unpack(ARGV, 6)}
if entry then
  for n = 1, #entry[2], 2 do
    fields[#fields + 1] = 'entry:' .. entry[2][n]
    fields[#fields + 1] = entry[2][n + 1]
  end
end
redis.call('XADD', KEYS[2], '*', unpack(fields))
if ARGV[5] ~= '' then redis.call('XADD', KEYS[3], '*', ARGV[4], ARGV[5]) end
if ARGV[3] == '1' then redis.call('XDEL', KEYS[1], ARGV[2]) end
return 1
