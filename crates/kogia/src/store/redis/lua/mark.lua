-- Marks tags. KEYS[3…]: their keys, then the one of a tag that is watched. ARGV: server, time to
-- live, owner, lease (milliseconds), backend, token
local tags, changed = {}, {}
for i = 3, #KEYS - 1 do
  tags[#tags + 1] = tag_of(KEYS[i])
end
local held, ends = of_marks('HMGET', tags), now() + ARGV[4]
for i, tag in ipairs(tags) do
  local owners, lease = without(held[i] or '', ARGV[3])
  changed[#changed + 1] = tag
  changed[#changed + 1] = with(owners, ARGV[3], math.max(lease, ends), ARGV[5])
end
of_marks('HSET', changed)
local token = flagged(ARGV[6], true)
for i = 3, #KEYS - 1 do
  redis.call('SET', KEYS[i], token, 'PX', ARGV[2])
end
return { incarnation, redis.call('GET', KEYS[#KEYS]) }
