#!lua flags=allow-oom
-- Puts what was staged in the place of all there is, or changes nothing.
--
-- KEYS  index of what is staged
-- ARGV  beginning of all keys, the same as a pattern, how many keys were staged,
--       1: what is there may go
-- Answer: what stands in the way, and which key; or 'done', and how many keys went
local call = redis.call
local index, prefix, staged = KEYS[1], ARGV[1], ARGV[1] .. 'stage:'

-- What a program that never read anything has made.
local function is_empty(key, name)
  if name == 'epoch' or name == 'pulse' or name == 'lanes' or name == 'removed' then
    return true
  end
  if call('TYPE', key).ok ~= 'stream' then return false end
  local about = call('XINFO', 'STREAM', key)
  for n = 1, #about, 2 do
    if about[n] == 'entries-added' then return about[n + 1] == 0 end
  end
end

local old = {}
for _, key in ipairs(call('KEYS', ARGV[2])) do
  local name = string.sub(key, #prefix + 1)
  if string.sub(name, 1, 6) == 'lease:' then return {'lease', name, call('GET', key)} end
  if string.sub(key, 1, #staged) ~= staged then
    if ARGV[4] ~= '1' and not is_empty(key, name) then return {'there', name} end
    old[#old + 1] = key
  end
end
local flat = call('HGETALL', index)
if #flat / 2 ~= tonumber(ARGV[3]) then return {'gone', index} end
for n = 1, #flat, 2 do
  if call('EXISTS', staged .. flat[n]) == 0 then return {'gone', flat[n]} end
end

-- A user who may not is told so here, before anything has changed.
call('RENAME', index, index .. '.')
call('RENAME', index .. '.', index)
call('PEXPIRE', index, 60000)
call('PERSIST', index)
call('UNLINK', index .. '.')

for _, key in ipairs(old) do call('UNLINK', key) end
for n = 1, #flat, 2 do
  call('RENAME', staged .. flat[n], prefix .. flat[n])
  if tonumber(flat[n + 1]) < 0 then
    call('PERSIST', prefix .. flat[n])
  else
    call('PEXPIRE', prefix .. flat[n], flat[n + 1])
  end
end
call('DEL', index)
return {'done', #old}
