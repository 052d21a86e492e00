#!lua flags=allow-oom
-- Matches whose readers were decided: acknowledged in `matches`, envelopes put onto the
-- lanes of their sinks, and who is not told written down.  May be repeated.
--
-- Who is not told of a version does not stand in the ledger: an older one may still
-- wait in an outbox, and would look as if it were out of date.
--
-- KEYS  matches, deliveries, lanes, notes, then outboxes
-- ARGV  wire, group, then for each match:
--       id, number of envelopes, each: number of its key, queue's name, envelope;
--       number of suppressed, their deliveries; a note, or nothing
-- Answer: how many envelopes were added
local wire, group = ARGV[1], ARGV[2]
redis.call('XLEN', KEYS[2])  -- of another type: end before the first write
redis.call('SCARD', KEYS[3])
redis.call('XLEN', KEYS[4])
local at = 3
local added = 0
local lanes = {}  -- that are written down, in this call
while at <= #ARGV do
  local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) == 1
  local envelopes = tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, envelopes do
    if fresh then
      if not lanes[ARGV[at + 1]] then
        lanes[ARGV[at + 1]] = true
        if redis.call('SISMEMBER', KEYS[3], ARGV[at + 1]) == 0 then
          redis.call('SADD', KEYS[3], ARGV[at + 1])
        end
      end
      redis.call('XADD', KEYS[tonumber(ARGV[at])], '*', wire, ARGV[at + 2])
      added = added + 1
    end
    at = at + 3
  end
  local suppressed = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, suppressed do
    if fresh then redis.call('XADD', KEYS[2], '*', wire, ARGV[at]) end
    at = at + 1
  end
  if fresh and ARGV[at] ~= '' then redis.call('XADD', KEYS[4], '*', wire, ARGV[at]) end
  at = at + 1
end
return added
