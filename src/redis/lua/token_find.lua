-- Arguments: hash.
-- Finds a token by its hash, and notes the minute if it is valid.
-- Reply: {id, scopes, state, expired_at, user_id, name}; or {}: there is none.
local id = call('GET', P .. 'token:hash:' .. ARGV[2])

if not id then
  return {}
end

local k = P .. 'token:' .. id
local token = call('HMGET', k, 'scopes', 'state', 'expired_at', 'user_id',
                   'used', 'name')

if not token[2] then
  return {}
end

local minute = text(wall - wall % MINUTE)

-- it may fail: a Redis without memory for writes can still be read
if token[2] == 'active' and tonumber(token[3]) > wall and token[5] ~= minute
then
  redis.pcall('HSET', k, 'used', minute)
end

return {id, token[1], token[2], token[3], token[4], token[6]}
