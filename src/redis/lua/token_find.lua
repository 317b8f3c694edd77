-- Arguments: hash.
-- Finds a token by its hash.
-- Reply: {id, scopes, state, expired_at, user_id, now, name}; or {}: there is none.
local id = call('GET', P .. 'token:hash:' .. ARGV[2])

if not id then
  return {}
end

local token = call('HMGET', P .. 'token:' .. id, 'scopes', 'state',
                         'expired_at', 'user_id', 'name')

return {id, token[1], token[2], token[3], token[4], wall,
        token[5]}
