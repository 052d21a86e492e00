#!lua flags=allow-oom
-- KEYS  lease    ARGV  owner    Answer: 1 if it was the owner's
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
