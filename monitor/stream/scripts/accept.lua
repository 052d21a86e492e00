#!lua
-- What one read of a source brought goes onto `items`: the posts not seen before, and
-- those that changed.  What is seen of them and the cursor move in the same step.
-- Without `allow-oom`: when memory is full, intake is what has to wait.
--
-- Ids that are no posts to be told of, such as service messages, are noted once, and
-- stand in `seen` with version 0: should a post appear there after all, it is new.
-- Posts of the past are noted, too.
--
-- A line may hold a command back for long, and deliver it when its sender has given it
-- up and read again: it would bring back how things stood.  So the sender says after how
-- many reads it began, and is refused if there were more since.
--
-- KEYS  items, seen:<source>, cursor, reads, notes
-- ARGV  wire, source, day, now in ms, cursor moves, cursor, number of posts,
--       number of those that may be of the past, after how many reads (or nothing),
--       then for each post: id, content hash and flags in 9 bytes, as a first version
--       (`item.to_wire_first`),
--       then the notes of those that may be of the past, in the same order,
--       then for each note: id, what it is in 8 bytes, note
-- Flags: 1 gone, 2 of the past (not seen before, it is marked as seen, no more), 4 late
-- Answer: how many were new, edited, deleted, unchanged, and how many reads that makes;
--         nothing at all if it is refused
local FIRST, WIDTH = 10, 3
local AS_FIRST = '\167version\1\166change\163new'
local CHANGE = {new = '\163new', edited = '\166edited', deleted = '\167deleted'}
local wire, source, day = ARGV[1], ARGV[2], tonumber(ARGV[3])
local moves, cursor, posts = ARGV[5] == '1', ARGV[6], tonumber(ARGV[7])
local pasts = FIRST + posts * WIDTH
local notes = pasts + tonumber(ARGV[8])

local ids = {}
for at = FIRST, pasts - 1, WIDTH do ids[#ids + 1] = ARGV[at] end
for at = notes, #ARGV, 3 do ids[#ids + 1] = ARGV[at] end

-- A key of another type must end this before the first write: scripts do not roll back.
redis.call('XLEN', KEYS[1])
redis.call('HEXISTS', KEYS[3], source)
redis.call('XLEN', KEYS[5])
local reads = redis.call('HGET', KEYS[4], source)
local turn = tonumber(reads and string.match(reads, ' (%d+)$') or '0')
if ARGV[9] ~= '' and tonumber(ARGV[9]) ~= turn then return {} end
local before = {}
if #ids > 0 then before = redis.call('HMGET', KEYS[2], unpack(ids)) end

-- A first version goes as it came; of another one, the two fields that say so are put in.
local function versioned(item, version, change)
  if version == 1 then return item end
  local from, to = string.find(item, AS_FIRST, 1, true)
  return string.sub(item, 1, from + 7) .. '\206' .. struct.pack('>I4', version)
    .. '\166change' .. CHANGE[change] .. string.sub(item, to + 1)
end

local seen = {}
local function see(id, version, hash, last, gone)
  seen[#seen + 1] = id
  seen[#seen + 1] = struct.pack('>I4c8I2B', version, hash, math.max(last, day), gone)
end

local count = {new = 0, edited = 0, deleted = 0, unchanged = 0}
for n = 1, posts do
  local id, old = ids[n], before[n]
  local at = FIRST + (n - 1) * WIDTH
  local hash, flags = struct.unpack('c8B', ARGV[at + 1])
  local gone, past, late = flags % 2 == 1, flags % 4 >= 2, flags >= 4
  local version, known, last, was_gone = 0, '', 0, 0
  if old then version, known, last, was_gone = struct.unpack('>I4c8I2B', old) end
  local change = nil
  if version == 0 then
    if not gone then change = 'new' end
  elseif gone then
    if was_gone == 0 then change = 'deleted' end
  elseif was_gone == 1 or known ~= hash then
    change = 'edited'  -- also what was thought deleted, and stands there again
  end
  if change and (version > 0 or not past) then
    local field = versioned(ARGV[at + 2], version + 1, change)
    if late then
      redis.call('XADD', KEYS[1], '*', wire, field, 'late', '1')
    else
      redis.call('XADD', KEYS[1], '*', wire, field)
    end
    count[change] = count[change] + 1
  else
    count.unchanged = count.unchanged + 1
    if change then redis.call('XADD', KEYS[5], '*', wire, ARGV[pasts]) end
  end
  if past then pasts = pasts + 1 end
  if change then
    see(id, version + 1, hash, last, gone and 1 or 0)
  elseif version > 0 and last < day then
    see(id, version, hash, last, gone and 1 or 0)
  end
end

for at = notes, #ARGV, 3 do
  local n = posts + (at - notes) / 3 + 1
  local id, old, what = ids[n], before[n], ARGV[at + 1]
  local version, known, last = 0, '', 0
  if old then version, known, last = struct.unpack('>I4c8I2', old) end
  if version == 0 and known ~= what then
    redis.call('XADD', KEYS[5], '*', wire, ARGV[at + 2])
    see(id, 0, what, last, 0)
  elseif version == 0 and last < day then
    see(id, 0, what, last, 0)
  end
end

if #seen > 0 then redis.call('HSET', KEYS[2], unpack(seen)) end
if moves then
  redis.call('HSET', KEYS[3], source, cursor)
  turn = turn + 1
  redis.call('HSET', KEYS[4], source, ARGV[4] .. ' ' .. turn)
end
return {count.new, count.edited, count.deleted, count.unchanged, turn}
