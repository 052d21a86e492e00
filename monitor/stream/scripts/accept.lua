#!lua
-- What one read of a source brought goes onto `items`: the posts not seen before, and
-- those that changed.  What is seen of them and the cursor move in the same step.
-- Without `allow-oom`: when memory is full, intake is what has to wait.
--
-- KEYS  items, seen:<source>, cursor
-- ARGV  wire, source, day, baseline, cursor moves, cursor,
--       then for each post: id, content hash, gone, head, tail (`item.to_wire_cut`)
-- Answer: how many were new, edited, deleted, unchanged
local FIRST, WIDTH = 7, 5
local CHANGE = {new = '\163new', edited = '\166edited', deleted = '\167deleted'}
local wire, source, day = ARGV[1], ARGV[2], tonumber(ARGV[3])
local baseline, moves, cursor = ARGV[4] == '1', ARGV[5] == '1', ARGV[6]

local ids = {}
for at = FIRST, #ARGV, WIDTH do ids[#ids + 1] = ARGV[at] end

-- A key of another type must end this before the first write: scripts do not roll back.
redis.call('XLEN', KEYS[1])
redis.call('HEXISTS', KEYS[3], source)
local before = {}
if #ids > 0 then before = redis.call('HMGET', KEYS[2], unpack(ids)) end

local count = {new = 0, edited = 0, deleted = 0, unchanged = 0}
local seen = {}
for n, id in ipairs(ids) do
  local at = FIRST + (n - 1) * WIDTH
  local hash, gone = ARGV[at + 1], ARGV[at + 2] == '1'
  local old = before[n]
  local version, known, last, was_gone = 0, '', 0, 0
  local change = nil
  if not old then
    if not gone then change = 'new' end
  else
    version, known, last, was_gone = struct.unpack('>I4c8I2B', old)
    if gone then
      if was_gone == 0 then change = 'deleted' end
    elseif was_gone == 1 or known ~= hash then
      change = 'edited'  -- also what was thought deleted, and stands there again
    end
  end
  if change then
    version = version + 1
    if baseline and not old then
      count.unchanged = count.unchanged + 1
    else
      redis.call('XADD', KEYS[1], '*', wire, ARGV[at + 3] .. '\206'
        .. struct.pack('>I4', version) .. '\166change' .. CHANGE[change] .. ARGV[at + 4])
      count[change] = count[change] + 1
    end
  else
    count.unchanged = count.unchanged + 1
  end
  if change or (old and last < day) then
    seen[#seen + 1] = id
    seen[#seen + 1] = struct.pack(
      '>I4c8I2B', version, hash, math.max(last, day), gone and 1 or 0)
  end
end

if #seen > 0 then redis.call('HSET', KEYS[2], unpack(seen)) end
if moves then redis.call('HSET', KEYS[3], source, cursor) end
return {count.new, count.edited, count.deleted, count.unchanged}
