-- Arguments: instance, queue, name, address, clusters, lease, host, pid,
-- greatest id that this nginx knows, time of its first heartbeat or 0, who
-- ("ADDRESS NAME").
-- The heartbeat of an nginx.
-- Reply: {now}; or {now, name, address, host, pid} of another nginx with the
-- same name that has sent a heartbeat since.
local owners, queue = P .. 'owners:' .. ARGV[2], ARGV[3]
local first = tonumber(ARGV[11])
local old = 'instance:' .. ARGV[2]

call('HSET', P .. queue, 'id', ARGV[2], 'name', ARGV[4], 'address', ARGV[5],
     'who', ARGV[12], 'clusters', ARGV[6], 'lease', ARGV[7], 'host', ARGV[8],
     'pid', ARGV[9], 'seen', text(wall))
call('PEXPIRE', P .. queue, INSTANCE_TIME)

if tonumber(ARGV[10]) > tonumber(call('GET', P .. 'job:next') or 0) then
  call('SET', P .. 'job:next', ARGV[10])
end

-- the queue of releases before schema version 1, one for each name
if call('EXISTS', P .. 'ready:' .. old, P .. 'lease:' .. old) > 0 then
  call('ZADD', owners, 0, old)
end

if first == 0 then
  return {now}
end

for _, other in ipairs(call('ZRANGEBYSCORE', owners, '(' .. text(first),
                            '+inf', 'LIMIT', 0, OWNERS_MAX)) do
  local who = call('HMGET', P .. other, 'name', 'address', 'host', 'pid')

  if other ~= queue and who[1]
     and tonumber(call('ZSCORE', P .. 'members', other) or 0) > now
  then
    return {now, who[1], who[2], who[3], who[4]}
  end
end

return {now}
