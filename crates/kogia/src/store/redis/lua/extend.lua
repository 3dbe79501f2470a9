-- Renews the lease of an owner. ARGV: server, owner, lease (milliseconds), the tags
for i = 4, #ARGV do
  local owners, lease, backend = without(redis.call('HGET', KEYS[2], ARGV[i]) or '', ARGV[2])
  if backend then
    lease = math.max(lease, now() + ARGV[3])
    redis.call('HSET', KEYS[2], ARGV[i], with(owners, ARGV[2], lease, backend))
  end
end
return { incarnation, false }
