#!lua flags=allow-oom
-- A lease ends by the server's clock on the wall.  If that is set back, it would outlast
-- a dead owner by so much; so whoever waits for it lets it last no longer than its own.
--
-- KEYS  lease    ARGV  owner, ms    Answer: 1 if it is the owner's now
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then
    redis.call('SET', KEYS[1], holder, 'PX', ARGV[2])
  end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
