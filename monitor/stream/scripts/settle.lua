#!lua flags=allow-oom
-- What became of envelopes for some of their recipients: written down; and those that
-- are done with, acknowledged and deleted.  May be repeated.
--
-- One that is dead leaves a letter with an envelope of its own, so that it can be put
-- back for this recipient alone.  A letter that comes back is its only recipient's.
--
-- KEYS  outbox, deliveries, dead, sending, then ledgers
-- ARGV  wire, group, seconds that a ledger is kept, the outbox's name,
--       then for each envelope: id, done, put back from a letter, number of recipients
--       of whom nothing is to be written, their names, number of deliveries,
--       each: number of its key, subscriber, version, rank, delivery, whether it is dead,
--       and if it is, for its letter: envelope, why, attempts, at
-- Answer: how many of the deliveries were news
-- use record.lua
redis.call('XLEN', KEYS[1])  -- of another type: end before the first write
redis.call('XLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
local wire, group, keep, queue = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local news, at = 0, 5
local done, sent = {}, {}
while at <= #ARGV do
  local id, again, others = ARGV[at], ARGV[at + 2] == '1', tonumber(ARGV[at + 3])
  local closed = false  -- now, and put back from a letter
  if ARGV[at + 1] == '1' then
    closed = again and redis.call('XACK', KEYS[1], group, id) == 1
    done[#done + 1] = id
  end
  at = at + 4
  for n = at, at + others - 1 do sent[#sent + 1] = id .. '/' .. ARGV[n] end
  at = at + others + 1
  for _ = 1, tonumber(ARGV[at - 1]) do
    local new = record(KEYS[tonumber(ARGV[at])], KEYS[2], keep, wire,
      ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4])
    local dead = ARGV[at + 5] == '1'
    if dead and (new == 1 or closed) then
      redis.call('XADD', KEYS[3], '*', 'queue', queue, 'group', group,
        'entry', id, 'why', ARGV[at + 7], 'attempts', ARGV[at + 8],
        'at', ARGV[at + 9], 'entry:' .. wire, ARGV[at + 6])
    end
    sent[#sent + 1] = id .. '/' .. ARGV[at + 1]
    news = news + new
    at = at + (dead and 10 or 6)
  end
end
if #sent > 0 then redis.call('HDEL', KEYS[4], unpack(sent)) end
if #done > 0 then
  redis.call('XACK', KEYS[1], group, unpack(done))
  redis.call('XDEL', KEYS[1], unpack(done))
end
return news
