#!lua flags=no-writes
-- KEYS  cursor, reads    ARGV  source    Answer: its cursor, when it was read in ms
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])}
