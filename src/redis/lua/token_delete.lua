-- Arguments: id, uuid of the request.
-- Deletes a token, and tells the workers.
-- Reply: 1; or 0: there is none.
local id, uuid = ARGV[2], P .. 'uuid:' .. ARGV[3]
local k = P .. 'token:' .. id
local token = call('HMGET', k, 'hash', 'name')

-- the same request once more, after a lost reply
if not token[1] then
  return call('GET', uuid) == id and 1 or 0
end

-- Redis at its maxmemory refuses nothing after a script's first write, and this one
-- needs no memory
call('ZREM', P .. 'token:list', id)
call('SET', uuid, id, 'PX', RESEND_TIME)
call('PEXPIRE', P .. 'token:hash:' .. token[1], 0)
call('PEXPIRE', k, 0)

if call('HGET', P .. 'token:names', token[2]) == id then
  call('HDEL', P .. 'token:names', token[2])
end

token_changed(id)

return 1
