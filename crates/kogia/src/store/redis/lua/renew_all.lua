-- Makes everything that was ever given out stale. ARGV: server, token
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2] .. string.sub(incarnation, 33))
return { incarnation, false }
