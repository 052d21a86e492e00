#!lua flags=allow-oom
-- Streams and groups that are not there yet, from the beginning and never from `$`:
-- what came before the group did is waiting for it.
--
-- KEYS  for each group: its queue
-- ARGV  for each group: its name
-- Answer: how many were made
local made = 0
for n, queue in ipairs(KEYS) do
  local answer = redis.pcall('XGROUP', 'CREATE', queue, ARGV[n], '0', 'MKSTREAM')
  if not answer.err then
    made = made + 1
  elseif not string.find(answer.err, 'BUSYGROUP', 1, true) then
    return answer
  end
end
return made
