-- Who holds tags. KEYS[3…]: their keys. ARGV: server, time to live, token
local time = now()
if string.sub(incarnation, 33) == '1' then
  local ends = tonumber(redis.call('HGET', KEYS[2], 'until') or 0)
  local length = redis.call('HGET', KEYS[2], 'length')
  if length and time + length < ends then
    -- The clock was set back. Nobody knows how much is left, but no more than all of it.
    ends = time + length
    redis.call('HSET', KEYS[2], 'until', ends)
  end
  if time < ends then
    return { incarnation, { time, {} } }
  end
  incarnation = string.sub(incarnation, 1, 32) .. '0'
  redis.call('SET', KEYS[1], incarnation)
end
local held = {}
for i = 3, #KEYS do
  local owners = redis.call('HGET', KEYS[2], tag_of(KEYS[i]))
  held[#held + 1] = owners or ''
  if not owners then
    -- A mark whose owners were lost, and nobody relies on it any more.
    local generation = redis.call('GET', KEYS[i])
    if generation and string.byte(generation, 1) % 2 == 1 then
      redis.call('SET', KEYS[i], flagged(ARGV[3], false), 'PX', ARGV[2])
    end
  end
end
return { incarnation, { time, held } }
