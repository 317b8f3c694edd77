-- Arguments: id of a cluster; the peers that it has, for an hour, or "": they are
-- not stored.
-- Reply: those that were stored before.
local key = P .. 'peers:' .. ARGV[2]
local known = call('GET', key) or ''

if ARGV[3] ~= '' then
  call('SET', key, ARGV[3], 'PX', PEERS_TIME)
end

return known
