-- Marks tags. KEYS[3…]: their keys, then the one of a tag that is watched. ARGV: server, time to
-- live, owner, lease (milliseconds), backend, token
for i = 3, #KEYS - 1 do
  local tag = tag_of(KEYS[i])
  local owners, lease = without(redis.call('HGET', KEYS[2], tag) or '', ARGV[3])
  lease = math.max(lease, now() + ARGV[4])
  redis.call('HSET', KEYS[2], tag, with(owners, ARGV[3], lease, ARGV[5]))
  redis.call('SET', KEYS[i], flagged(ARGV[6], true), 'PX', ARGV[2])
end
return { incarnation, redis.call('GET', KEYS[#KEYS]) }
