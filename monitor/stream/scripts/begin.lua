#!lua flags=allow-oom
-- Right before something of an outbox is sent to one recipient: is it still ours to
-- send, what were they told of the post, and was it begun before without an end?  That
-- it begins now is written down, so that a crash leaves a trace: see `settle`.
--
-- KEYS  outbox, sending, lease, then for each envelope: ledger
-- ARGV  group, owner, subscriber, then for each envelope: id, sends before this one that
--       nobody knows the end of, or nothing for what is written down
-- Answer: for each envelope: 1 if it is ours, such sends, the ledger's field
local group, owner, subscriber = ARGV[1], ARGV[2], ARGV[3]
local leased = redis.call('GET', KEYS[3]) == owner
local answer = {}
for n = 4, #KEYS do
  local at = 4 + (n - 4) * 2
  local id, doubts = ARGV[at], tonumber(ARGV[at + 1])
  local field = id .. '/' .. subscriber
  local ours = leased
    and #redis.call('XPENDING', KEYS[1], group, id, id, 1, owner) == 1
  local begun = tonumber(redis.call('HGET', KEYS[2], field) or '-1')
  doubts = doubts or begun + 1
  if ours then redis.call('HSET', KEYS[2], field, doubts) end
  answer[#answer + 1] = ours and 1 or 0
  answer[#answer + 1] = doubts
  answer[#answer + 1] = redis.call('HGET', KEYS[n], subscriber) or ''
end
return answer
