#!lua flags=allow-oom
-- A dead letter goes back to the end of its queue.
--
-- KEYS  dead, queue
-- ARGV  id
-- Answer: 1, or 0 if it is not there, or has nothing in it that could go back
redis.call('XLEN', KEYS[2])  -- of another type: end before the first write
local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return 0 end
local fields = {}
for n = 1, #letter[2], 2 do
  local name = string.match(letter[2][n], '^entry:(.*)$')
  if name then
    fields[#fields + 1] = name
    fields[#fields + 1] = letter[2][n + 1]
  end
end
if #fields == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
