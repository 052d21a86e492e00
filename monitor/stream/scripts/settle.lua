#!lua flags=allow-oom
-- What became of envelopes for some of their recipients: written down; and those that
-- are done with, acknowledged and deleted.  May be repeated.
--
-- One that is dead leaves a letter with an envelope of its own, so that it can be put
-- back for this recipient alone.  A letter that comes back is its only recipient's.
--
-- KEYS  outbox, deliveries, dead, sending, then ledgers
-- ARGV  wire, group, seconds that a ledger is kept, the outbox's name,
--       then for each envelope: id, done, put back from a letter, number of deliveries,
--       each: number of its key, subscriber, version, rank, delivery,
--       and for its letter, if it is dead: envelope, why, attempts, at
-- Answer: how many of the deliveries were news
-- use record.lua
redis.call('XLEN', KEYS[1])  -- of another type: end before the first write
redis.call('XLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
local wire, group, keep, queue = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local news, at = 0, 5
while at <= #ARGV do
  local id, again, deliveries = ARGV[at], ARGV[at + 2] == '1', tonumber(ARGV[at + 3])
  local closed = false
  if ARGV[at + 1] == '1' then
    closed = redis.call('XACK', KEYS[1], group, id) == 1
    redis.call('XDEL', KEYS[1], id)
  end
  at = at + 4
  for _ = 1, deliveries do
    local new = record(KEYS[tonumber(ARGV[at])], KEYS[2], keep, wire,
      ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    if ARGV[at + 5] ~= '' and (new == 1 or (again and closed)) then
      redis.call('XADD', KEYS[3], '*', 'queue', queue, 'group', group,
        'entry', id, 'why', ARGV[at + 6], 'attempts', ARGV[at + 7],
        'at', ARGV[at + 8], 'entry:' .. wire, ARGV[at + 5])
    end
    redis.call('HDEL', KEYS[4], id .. '/' .. ARGV[at + 1])
    news = news + new
    at = at + 9
  end
end
return news
