-- Arguments: hash, name, bio, scopes, expired_at, user_id.
-- Stores a token.
-- Reply: {id, created}; or {}: the name is taken.
local owner = call('HGET', P .. 'token:names', ARGV[3])

if owner then
  local token = call('HMGET', P .. 'token:' .. owner, 'hash', 'created')

  -- the same request once more, after a lost reply
  if token[1] == ARGV[2] then
    return {owner, token[2]}
  end

  if token[1] then
    return {}
  end
end

local id = call('INCRBY', P .. 'token:next', 1)

call('HSET', P .. 'token:names', ARGV[3], id)
call('SET', P .. 'token:hash:' .. ARGV[2], id)
call('HSET', P .. 'token:' .. id, 'hash', ARGV[2], 'name', ARGV[3],
           'bio', ARGV[4], 'scopes', ARGV[5], 'expired_at', ARGV[6],
           'user_id', ARGV[7], 'state', 'active', 'created', text(wall))

return {id, wall}
