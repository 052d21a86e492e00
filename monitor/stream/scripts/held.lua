#!lua flags=allow-oom
-- What has to wait still; what has waited long enough is forgotten.
--
-- KEYS  wait    ARGV  now in ms    Answer: name, until in ms, name, …
local all = redis.call('HGETALL', KEYS[1])
local still = {}
for n = 1, #all, 2 do
  if tonumber(all[n + 1]) > tonumber(ARGV[1]) then
    still[#still + 1] = all[n]
    still[#still + 1] = all[n + 1]
  else
    redis.call('HDEL', KEYS[1], all[n])
  end
end
return still
