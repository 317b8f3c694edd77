-- Arguments: id, uuid, number of the try, outcome, pause, error.
-- Ends a try. The outcome is "delivered", "failed": it is due again after the
-- pause, unless its time is over then, or "returned": others may try at once.
-- Reply: 1; 2: the webhook is given up; or 0: this try does not count any more.
local id = ARGV[2]
local k = job_key(id)
local outcome = ARGV[5]
local job = call('HMGET', k, 'uuid', 'hook', 'hook_until', 'webhook')

if job[1] ~= ARGV[3] or not job[2] or not job[3] then
  return 0
end

local tries, url, err = job[4]:match('^%u+ (%d+) %d+ (%S+) ?(.*)$')

if tries ~= ARGV[4] then
  return 0
end

local due = now
local state = 'PENDING'

if outcome == 'delivered' then
  state = 'SUCCESS'
  err = ''

elseif outcome == 'failed' then
  due = now + ARGV[6]
  err = ARGV[7]

  if due >= tonumber(job[3]) then
    state = 'FAILURE'
  end
end

call('HSET', k, 'webhook', table.concat({state, tries, text(wall), url, err},
                                        ' '))

if state ~= 'PENDING' then
  call('HDEL', k, 'hook', 'hook_until')
  call('ZREM', P .. 'hooks', id)

  return state == 'FAILURE' and 2 or 1
end

call('ZADD', P .. 'hooks', text(due), id)

if outcome == 'returned' then
  publish('hooks')
end

return 1
