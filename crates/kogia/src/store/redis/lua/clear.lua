-- Removes an owner from tags. KEYS[3…]: their keys, then the one of a tag that is watched. ARGV:
-- server, time to live, owner, token
for i = 3, #KEYS - 1 do
  local tag = tag_of(KEYS[i])
  local owners = redis.call('HGET', KEYS[2], tag)
  if owners then
    owners = without(owners, ARGV[3])
    if owners == '' then
      redis.call('HDEL', KEYS[2], tag)
      owners = false
    else
      redis.call('HSET', KEYS[2], tag, owners)
    end
  end
  redis.call('SET', KEYS[i], flagged(ARGV[4], owners), 'PX', ARGV[2])
end
return { incarnation, redis.call('GET', KEYS[#KEYS]) }
