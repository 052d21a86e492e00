#!lua
-- Lays kept keys beside those in use, where they expire by themselves.
--
-- KEYS  index of what is staged, then the staged keys
-- ARGV  ms until they expire, then for each: name, ms that it is to live or -1, dump
-- Answer: how many there were; the error of the first that the server cannot read
for n = 2, #KEYS do
  local at = 3 * n - 4
  local answer = redis.pcall('RESTORE', KEYS[n], ARGV[1], ARGV[at + 2], 'REPLACE')
  if answer.err then return answer end
  redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return #KEYS - 1
