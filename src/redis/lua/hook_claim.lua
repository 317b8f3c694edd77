-- Arguments: id, uuid, tries so far, lease.
-- Claims a webhook that is due for one try.
-- Reply: {the webhook, sealed}; or {}: it is not due any more.
local id = ARGV[2]
local k = job_key(id)
local job = call('HMGET', k, 'uuid', 'hook', 'webhook')
local due = call('ZSCORE', P .. 'hooks', id)

if not due or tonumber(due) > now or job[1] ~= ARGV[3] or not job[2] then
  return {}
end

local tries, rest = job[3]:match('^%u+ (%d+) %d+ (.*)$')

if tries ~= ARGV[4] then
  return {}
end

call('ZADD', P .. 'hooks', text(now + ARGV[5]), id)
call('HSET', k, 'webhook', table.concat({'PENDING', text(tries + 1), text(wall),
     rest}, ' '))

return {job[2]}
