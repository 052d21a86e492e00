#!lua flags=allow-oom
-- Posts of a source that were not seen since a day.  They are looked at again here, as
-- one may have been seen since the caller looked.
--
-- KEYS  seen:<source>    ARGV  day, ids    Answer: how many were forgotten
local ids = {unpack(ARGV, 2)}
local old = {}
for n, seen in ipairs(redis.call('HMGET', KEYS[1], unpack(ids))) do
  if seen then
    local _, _, last = struct.unpack('>I4c8I2', seen)
    if last < tonumber(ARGV[1]) then old[#old + 1] = ids[n] end
  end
end
if #old == 0 then return 0 end
return redis.call('HDEL', KEYS[1], unpack(old))
