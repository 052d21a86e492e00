#!lua flags=allow-oom
-- What became of an envelope for some of its recipients: written down; and when it is
-- done, acknowledged and deleted.  May be repeated.
--
-- KEYS  outbox, deliveries, then ledgers
-- ARGV  wire, group, seconds that a ledger is kept, id, done,
--       then for each delivery: number of its key, subscriber, version, rank, delivery
-- Answer: how many of the deliveries were news
-- use record.lua
redis.call('XLEN', KEYS[1])  -- of another type: end before the first write
local news = 0
for at = 6, #ARGV, 5 do
  news = news + record(KEYS[tonumber(ARGV[at])], KEYS[2], ARGV[3], ARGV[1],
    ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
end
if ARGV[5] == '1' then
  redis.call('XACK', KEYS[1], ARGV[2], ARGV[4])
  redis.call('XDEL', KEYS[1], ARGV[4])
end
return news
