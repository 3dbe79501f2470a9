-- Renews the lease of an owner, also one that goes on for too long because the clock was set back.
-- ARGV: server, owner, lease (milliseconds), the tags
for i = 4, #ARGV do
  local owners, _, backend = without(redis.call('HGET', KEYS[2], ARGV[i]) or '', ARGV[2])
  if backend then
    redis.call('HSET', KEYS[2], ARGV[i], with(owners, ARGV[2], now() + ARGV[3], backend))
  end
end
return { incarnation, false }
