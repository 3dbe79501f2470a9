-- Invalidates where the server has no memory left for marks, which deleting needs none of: a tag
-- without a generation is not current, and without the name of their server all marks count as
-- lost, so that nothing is filled until nobody can rely on them. KEYS[3…]: the tags' keys
for i = 3, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('HDEL', KEYS[2], 'server')
return { incarnation, false }
