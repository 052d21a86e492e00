#!lua flags=allow-oom
-- One page of what a group was given and has not acknowledged: our own, or what other
-- consumers have left lying.  It is ours from now on.  XAUTOCLAIM would do, but it also
-- takes what we are working on, and does not say how often an entry was taken.
--
-- KEYS  queue
-- ARGV  group, consumer, whose (mine, others), from id, page, idle for ms,
--       1 to count this as an attempt
-- Answer: size of the page, its last id, entries {id, fields, attempts}, how many of the
--         page are no longer in the stream
local group, me, mine = ARGV[1], ARGV[2], ARGV[3] == 'mine'
local page
if mine then
  page = redis.call('XPENDING', KEYS[1], group, ARGV[4], '+', ARGV[5], me)
else
  page = redis.call('XPENDING', KEYS[1], group, 'IDLE', ARGV[6], ARGV[4], '+', ARGV[5])
end
local taken, lost, last = {}, 0, ''
for _, pending in ipairs(page) do
  last = pending[1]
  if mine or pending[2] ~= me then
    local attempts = pending[4] + tonumber(ARGV[7])
    local entry = redis.call(
      'XCLAIM', KEYS[1], group, me, 0, last, 'RETRYCOUNT', attempts)[1]
    if entry then
      taken[#taken + 1] = {last, entry[2], attempts}
    else
      lost = lost + 1
    end
  end
end
return {#page, last, taken, lost}
