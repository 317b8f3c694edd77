-- Arguments: id; then names of fields and their new values.
-- Changes a token, and tells the workers.
-- Reply: what is shown of it; or {}: there is none.
local id = ARGV[2]
local k = P .. 'token:' .. id

if #ARGV > 2 and call('EXISTS', k) == 1 then
  -- Redis at its maxmemory refuses nothing after a script's first write, and this
  -- one needs no memory: a token can always be revoked
  call('ZREM', P .. 'token:list', '')

  for i = 3, #ARGV, 2 do
    call('HSET', k, ARGV[i], ARGV[i + 1])
  end

  call('HSET', k, 'updated', text(wall))
  token_changed(id)
end

return shown_token(id) or {}
