#!lua flags=no-writes
-- KEYS  queues    Answer: for each, its length and its groups as XINFO has them
local all = {}
for n, queue in ipairs(KEYS) do
  if redis.call('EXISTS', queue) == 1 then
    all[n] = {redis.call('XLEN', queue), redis.call('XINFO', 'GROUPS', queue)}
  else
    all[n] = {0, {}}
  end
end
return all
