#!lua flags=allow-oom
-- Which database this is, how far it was counted in it, and when each source was last
-- read, as of one moment.  An older state of it has been counted less far.
--
-- KEYS  epoch, pulse, reads
-- ARGV  a name for a database that has none, 1 to count one more
-- Answer: epoch, pulse, reads
redis.call('SETNX', KEYS[1], ARGV[1])
if ARGV[2] == '1' then redis.call('INCR', KEYS[2]) end
return {
  redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0'),
  redis.call('HGETALL', KEYS[3]),
}
