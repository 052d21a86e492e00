#!lua flags=allow-oom
-- Matches whose readers were decided: acknowledged in `matches`, envelopes put onto the
-- lanes of their sinks, and who is not told written down.  May be repeated.
--
-- KEYS  matches, deliveries, lanes, notes, then outboxes and ledgers
-- ARGV  wire, group, seconds that a ledger is kept, then for each match:
--       id, number of envelopes, each: number of its key, queue's name, envelope;
--       number of suppressed, each: number of its key, subscriber, version, rank, delivery;
--       a note, or nothing
-- Answer: how many envelopes were added
-- use record.lua
local wire, group, keep = ARGV[1], ARGV[2], ARGV[3]
redis.call('XLEN', KEYS[2])  -- of another type: end before the first write
redis.call('SCARD', KEYS[3])
redis.call('XLEN', KEYS[4])
local at = 4
local added = 0
while at <= #ARGV do
  local fresh = redis.call('XACK', KEYS[1], group, ARGV[at]) == 1
  local envelopes = tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, envelopes do
    if fresh then
      redis.call('SADD', KEYS[3], ARGV[at + 1])
      redis.call('XADD', KEYS[tonumber(ARGV[at])], '*', wire, ARGV[at + 2])
      added = added + 1
    end
    at = at + 3
  end
  local suppressed = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, suppressed do
    if fresh then
      record(KEYS[tonumber(ARGV[at])], KEYS[2], keep, wire,
        ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    end
    at = at + 5
  end
  if fresh and ARGV[at] ~= '' then redis.call('XADD', KEYS[4], '*', wire, ARGV[at]) end
  at = at + 1
end
return added
