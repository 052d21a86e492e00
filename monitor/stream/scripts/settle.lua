#!lua flags=allow-oom
-- What became of an envelope for some of its recipients: written down; and when it is
-- done, acknowledged and deleted.  May be repeated.
--
-- One that is dead leaves a letter with an envelope of its own, so that it can be put
-- back for this recipient alone.  A letter that comes back is its only recipient's.
--
-- KEYS  outbox, deliveries, dead, then ledgers
-- ARGV  wire, group, seconds that a ledger is kept, id, done, put back from a letter,
--       the outbox's name, then for each delivery: number of its key, subscriber, version, rank, delivery,
--       and for its letter, if it is dead: envelope, why, attempts, at
-- Answer: how many of the deliveries were news
-- use record.lua
redis.call('XLEN', KEYS[1])  -- of another type: end before the first write
redis.call('XLEN', KEYS[3])
local closed = 0
if ARGV[5] == '1' then
  closed = redis.call('XACK', KEYS[1], ARGV[2], ARGV[4])
  redis.call('XDEL', KEYS[1], ARGV[4])
end
local news = 0
for at = 8, #ARGV, 9 do
  local new = record(KEYS[tonumber(ARGV[at])], KEYS[2], ARGV[3], ARGV[1],
    ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
  if ARGV[at + 5] ~= '' and (new == 1 or (ARGV[6] == '1' and closed == 1)) then
    redis.call('XADD', KEYS[3], '*', 'queue', ARGV[7], 'group', ARGV[2],
      'entry', ARGV[4], 'why', ARGV[at + 6], 'attempts', ARGV[at + 7],
      'at', ARGV[at + 8], 'entry:' .. ARGV[1], ARGV[at + 5])
  end
  news = news + new
end
return news
