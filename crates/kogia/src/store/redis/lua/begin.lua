-- Begins an incarnation if the present one is not this server's, or if marks were lost.
-- ARGV: server, token, how long somebody may rely on a lost mark (milliseconds)
local function unexpired(owners, time)
  local kept, at = {}, 1
  while at <= #owners do
    local length = 36 + tonumber(string.sub(owners, at + 32, at + 35))
    if tonumber(string.sub(owners, at + 16, at + 31)) > time then
      kept[#kept + 1] = string.sub(owners, at, at + length - 1)
    end
    at = at + length
  end
  return table.concat(kept)
end

if is_own and has_marks then
  return incarnation
end
if not has_marks then
  -- Owners that came back with an old dump may have cleared their marks since, and would hold them for
  -- as long as they live. Those whose lease is over go: who relies on theirs is served by the
  -- quarantine, as if it was lost. The others may be in their commit.
  local held = redis.call('HGETALL', KEYS[2])
  for i = 1, #held, 2 do
    if #held[i] == 16 then
      local owners = unexpired(held[i + 1], now())
      if owners == '' then
        redis.call('HDEL', KEYS[2], held[i])
      else
        redis.call('HSET', KEYS[2], held[i], owners)
      end
    end
  end
  redis.call('HSET', KEYS[2], 'server', ARGV[1], 'until', now() + ARGV[3], 'length', ARGV[3])
end
local ends = tonumber(redis.call('HGET', KEYS[2], 'until')) or 0
incarnation = ARGV[1] .. ARGV[2] .. (now() < ends and '1' or '0')
redis.call('SET', KEYS[1], incarnation)
return incarnation
