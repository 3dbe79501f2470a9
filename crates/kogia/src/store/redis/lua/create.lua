-- Gives tags a generation that have none. KEYS[3…]: their keys. ARGV: server, time to live
-- (milliseconds), a token for each of them
local generations = {}
for i = 3, #KEYS do
  local is_marked = redis.call('HEXISTS', KEYS[2], tag_of(KEYS[i])) == 1
  redis.call('SET', KEYS[i], flagged(ARGV[i], is_marked), 'NX', 'PX', ARGV[2])
  generations[#generations + 1] = redis.call('GET', KEYS[i])
end
return { incarnation, generations }
