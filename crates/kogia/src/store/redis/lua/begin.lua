-- Begins an incarnation if the present one is not this server's, or if marks were lost.
-- ARGV: server, token, how long somebody may rely on a lost mark (milliseconds)
if is_own and has_marks then
  return incarnation
end
if not has_marks then
  -- Owners that came back with an old dump may have cleared their marks since, and would hold them for
  -- as long as they live. Until the quarantine is over nobody needs theirs.
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'server', ARGV[1], 'until', now() + ARGV[3], 'length', ARGV[3])
end
local ends = tonumber(redis.call('HGET', KEYS[2], 'until')) or 0
incarnation = ARGV[1] .. ARGV[2] .. (now() < ends and '1' or '0')
redis.call('SET', KEYS[1], incarnation)
return incarnation
