-- What a script finds around it: the libraries that Redis gives it and nothing else.
-- What Redis has and the model does not says so, and ends the simulation.
--
-- Handed in: the model's command, struct.pack, struct.unpack, who is told what is
-- missing, and redis.sha1hex.  Answer: functions to compile a script, to run it, and to look at a table.
local invoke, pack, unpack_struct, missing, sha1hex = ...
local ON_STACK = 3000  -- values that can be handed over one by one

local getinfo, setfenv, loadstring = debug.getinfo, setfenv, loadstring
local error, pcall, rawset, select = error, pcall, rawset, select
local setmetatable = setmetatable
local string, tostring, type, unpack, xpcall = string, tostring, type, unpack, xpcall

local function line(level)  -- in which line of the script this happens
  local info = getinfo(level, 'Sl')
  while info and info.short_src ~= 'user_script' do
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  return info and info.currentline or 0
end

-- The model answers a value; or nil and a refusal; or true, a size and so many values;
-- or true, -1 and a status.
local function answered(raise, kind, size, ...)
  if kind == nil then
    if raise then error({err = size, line = line(3)}) end
    return {err = size}
  end
  if kind ~= true then return kind end
  if size == -1 then return {ok = (...)} end
  return {...}
end

local redis = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  call = function(...) return (answered(true, invoke(...))) end,
  pcall = function(...) return (answered(false, invoke(...))) end,
  error_reply = function(text) return {err = (string.gsub(text, '^-', ''))} end,
  status_reply = function(text) return {ok = text} end,
  sha1hex = function(text) return sha1hex(tostring(text)) end,
  log = function() end,
}

local function protected(ok, why, ...)  -- what is caught is a text
  if not ok and type(why) == 'table' and why.err ~= nil then why = why.err end
  return ok, why, ...
end

local function checked(kind, ...)
  if kind == nil then error('user_script:' .. line(3) .. ': ' .. (...), 0) end
  return kind, ...
end

local struct = {
  pack = function(...) return checked(pack(...)) end,
  unpack = function(...) return checked(unpack_struct(...)) end,
}

local function unknown(name, known)
  return setmetatable(known, {__index = function(_, key) missing(name .. '.' .. key) end})
end

local maths = {}
for name, value in pairs(math) do maths[name] = value end
maths.random, maths.randomseed = nil, nil

local sandbox = {
  redis = unknown('redis', redis), struct = unknown('struct', struct),
  server = unknown('server', {}), cjson = unknown('cjson', {}),
  cmsgpack = unknown('cmsgpack', {}), bit = unknown('bit', {}), os = unknown('os', {}),
  math = unknown('math', maths), string = string, table = table,
  assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs,
  next = next, pairs = pairs,
  pcall = function(...) return protected(pcall(...)) end,
  rawequal = rawequal, rawget = rawget,
  select = select, setmetatable = setmetatable, tonumber = tonumber,
  tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
}
sandbox._G = sandbox
setmetatable(sandbox, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '"
      .. tostring(name) .. "'", 2)
  end,
  __newindex = function() error('Attempt to modify a readonly table', 2) end,
})

local function compile(text)
  local script, why = loadstring(text, '@user_script')
  if not script then return nil, why end
  return setfenv(script, sandbox)
end

local function explained(why)
  if type(why) == 'table' then
    return {err = tostring(why.err), line = why.line or line(3)}
  end
  return {err = 'ERR ' .. tostring(why), line = line(3)}
end

-- What a value is, and what is in it.
local function shown(value)
  local kind = type(value)
  if kind ~= 'table' then return kind, value end
  if value.err ~= nil then return 'err', value.err, value.line end
  if value.ok ~= nil then return 'ok', value.ok end
  local size = 0
  while value[size + 1] ~= nil do size = size + 1 end
  if size > ON_STACK then return 'table', value, size end
  return 'list', unpack(value, 1, size)
end

local function run(script, keys, argv)
  rawset(sandbox, 'KEYS', keys)
  rawset(sandbox, 'ARGV', argv)
  local ok, value = xpcall(script, explained)
  if ok then return shown(value) end
  return 'err', value.err, value.line
end

local function run_with(script, count, ...)  -- the same, without tables made outside
  local keys = {}
  for n = 1, count do keys[n] = (select(n, ...)) end
  return run(script, keys, {select(count + 1, ...)})
end

return compile, run, run_with, shown
