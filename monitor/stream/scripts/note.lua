#!lua flags=allow-oom
-- A field of a small hash, written or (without a value) removed, though memory be full.
--
-- KEYS  hash    ARGV  field, value
if ARGV[2] then
  return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return redis.call('HDEL', KEYS[1], ARGV[1])
