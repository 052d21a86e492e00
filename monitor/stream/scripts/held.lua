#!lua flags=allow-oom
-- What has to wait still; what has waited long enough is forgotten.
--
-- A note is until when, and how long that was when it was made, both in ms: a clock that
-- was set back since must not make it longer.
--
-- KEYS  wait    ARGV  now in ms    Answer: name, for how many ms still, name, …
local all = redis.call('HGETALL', KEYS[1])
local still = {}
for n = 1, #all, 2 do
  local till, whole = string.match(all[n + 1], '^(%d+) ?(%d*)$')
  local left = math.min(tonumber(till) - tonumber(ARGV[1]), tonumber(whole) or math.huge)
  if left > 0 then
    still[#still + 1] = all[n]
    still[#still + 1] = tostring(left)
  else
    redis.call('HDEL', KEYS[1], all[n])
  end
end
return still
