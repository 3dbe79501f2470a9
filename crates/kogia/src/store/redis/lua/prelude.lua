-- What all scripts begin with.
--
-- KEYS[1]  the incarnation: the server's name (16 bytes), a token (16 bytes), and '1' as long as
--          marks may have been lost that somebody still relies on, else '0'
-- KEYS[2]  the marks, a hash: for each marked tag its owners; 'server', the name of the server
--          that they were set on; 'until', when nobody relies on lost ones any more; 'length',
--          how long that is
-- ARGV[1]  the server's name
--
-- An owner is 16 bytes, the end of its lease in milliseconds (16 digits), the length of what
-- follows (4 digits), and the backend that it is resolved by. A generation is 16 bytes; the lowest
-- bit of the first one says that it is marked.

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function flagged(token, is_marked)
  local first = string.byte(token, 1)
  return string.char(first - first % 2 + (is_marked and 1 or 0)) .. string.sub(token, 2)
end

-- The owners but one; the end of that one's lease, and its backend.
local function without(owners, owner)
  local kept, lease, backend, at = {}, 0, nil, 1
  while at <= #owners do
    local length = 36 + tonumber(string.sub(owners, at + 32, at + 35))
    if string.sub(owners, at, at + 15) == owner then
      lease = tonumber(string.sub(owners, at + 16, at + 31))
      backend = string.sub(owners, at + 36, at + length - 1)
    else
      kept[#kept + 1] = string.sub(owners, at, at + length - 1)
    end
    at = at + length
  end
  return table.concat(kept), lease, backend
end

local function with(owners, owner, lease, backend)
  return owners .. owner .. string.format('%016.0f%04d', lease, #backend) .. backend
end

local function tag_of(key)
  return string.sub(key, -16)
end

local incarnation = redis.call('GET', KEYS[1])
local is_own = incarnation and string.sub(incarnation, 1, 16) == ARGV[1]
local has_marks = redis.call('HGET', KEYS[2], 'server') == ARGV[1]

-- Calls a command of the marks with up to a thousand arguments at a time: Lua has room for a few
-- thousand.
local function of_marks(command, arguments)
  local answers = {}
  for from = 1, #arguments, 1000 do
    local to = math.min(from + 999, #arguments)
    local answer = redis.call(command, KEYS[2], unpack(arguments, from, to))
    if type(answer) == 'table' then
      for i = 1, to - from + 1 do
        answers[from + i - 1] = answer[i]
      end
    end
  end
  return answers
end
