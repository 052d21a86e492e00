#!lua flags=no-writes
-- KEYS  cursor, reads    ARGV  source    Answer: its cursor, when and how often it was read
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])}
