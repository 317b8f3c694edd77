-- Arguments: instance, queue, name, address, clusters, lease, host, pid,
-- greatest id that this nginx knows, time of its first heartbeat or 0, who
-- ("ADDRESS NAME"), definitions of its clusters, number of its configuration.
-- The heartbeat of an nginx. During a reload workers of both configurations may
-- send one; what the newer one has told is kept.
-- Reply: {now, name, address, host, pid} of another nginx with the same name
-- that has sent a heartbeat since, or {now, '', '', '', ''}; then queue, who and
-- definitions of each running nginx whose definitions are other ones.
local owners, queue = P .. 'owners:' .. ARGV[2], ARGV[3]
local first = tonumber(ARGV[11])
local old = 'instance:' .. ARGV[2]

if tonumber(call('HGET', P .. queue, 'cycle') or 0) <= tonumber(ARGV[14]) then
  call('HSET', P .. queue, 'id', ARGV[2], 'name', ARGV[4], 'address', ARGV[5],
       'who', ARGV[12], 'clusters', ARGV[6], 'definitions', ARGV[13], 'cycle',
       ARGV[14], 'lease', ARGV[7], 'host', ARGV[8], 'pid', ARGV[9])
end

call('HSET', P .. queue, 'seen', text(wall))
call('PEXPIRE', P .. queue, INSTANCE_TIME)

if KEYS[1] then
  call('PEXPIRE', KEYS[1], INSTANCE_TIME)
end

if tonumber(ARGV[10]) > tonumber(call('GET', P .. 'job:next') or 0) then
  call('SET', P .. 'job:next', ARGV[10])
end

-- the queue of releases before schema version 1, one for each name
if call('EXISTS', P .. 'ready:' .. old, P .. 'lease:' .. old) > 0 then
  call('ZADD', owners, 0, old)
end

local reply = {now, '', '', '', ''}

if first > 0 then
  for _, other in ipairs(call('ZRANGEBYSCORE', owners, '(' .. text(first),
                              '+inf', 'LIMIT', 0, OWNERS_MAX)) do
    local who = call('HMGET', P .. other, 'name', 'address', 'host', 'pid')

    if other ~= queue and who[1]
       and tonumber(call('ZSCORE', P .. 'members', other) or 0) > now
    then
      reply = {now, who[1], who[2], who[3], who[4]}
      break
    end
  end
end

-- in one order, so that if there are too many, the same are returned each time
local others = call('ZRANGEBYSCORE', P .. 'members', '(' .. now_text, '+inf',
                    'LIMIT', 0, MEMBERS_MAX)
local limit = #reply + 3 * OWNERS_MAX

table.sort(others)

for _, other in ipairs(others) do
  local m = call('HMGET', P .. other, 'who', 'definitions', 'id')

  -- not those that this nginx had before a reload has renamed it, or before it
  -- was killed; 0: it has stopped
  if #reply < limit and m[1] and m[2] and m[3] and m[2] ~= ARGV[13]
     and m[3] ~= ARGV[2]
     and other:match('[^:]*$') ~= queue:match('[^:]*$')
     and tonumber(call('ZSCORE', P .. 'owners:' .. m[3], other) or 0) > 0
  then
    reply[#reply + 1] = other
    reply[#reply + 1] = m[1]
    reply[#reply + 1] = m[2]
  end
end

return reply
