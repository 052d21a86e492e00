#!lua flags=allow-oom
-- Counts that the program works on this database: an older state of it has counted less.
--
-- KEYS  pulse    Answer: how far it was counted
return redis.call('INCR', KEYS[1])
