-- Removes an owner from tags. KEYS[3…]: their keys, then the one of a tag that is watched. ARGV:
-- server, time to live, owner, token
local tags, emptied, changed = {}, {}, {}
for i = 3, #KEYS - 1 do
  tags[#tags + 1] = tag_of(KEYS[i])
end
local held = of_marks('HMGET', tags)
for i, tag in ipairs(tags) do
  local owners = ''
  if held[i] then
    owners = without(held[i], ARGV[3])
    if owners == '' then
      emptied[#emptied + 1] = tag
    else
      changed[#changed + 1] = tag
      changed[#changed + 1] = owners
    end
  end
  redis.call('SET', KEYS[i + 2], flagged(ARGV[4], owners ~= ''), 'PX', ARGV[2])
end
of_marks('HDEL', emptied)
of_marks('HSET', changed)
return { incarnation, redis.call('GET', KEYS[#KEYS]) }
