-- Arguments: id, uuid, number of the try, outcome, pause, error.
-- Ends a try. The outcome is "delivered", "failed": it is due again after the
-- pause, unless its time is over then, or "returned": others may try at once.
-- Reply: 1; 2: the webhook is given up; or 0: this try does not count any more.
local id = ARGV[2]
local k = job_key(id)
local outcome = ARGV[5]
local job = call('HMGET', k, 'uuid', 'hook', 'hook_until', 'webhook')

if job[1] ~= ARGV[3] or not job[4] then
  return 0
end

local ended, tries, url, err = job[4]:match('^(%u+) (%d+) %d+ (%S+) ?(.*)$')

if tries ~= ARGV[4] then
  return 0
end

-- the same once more, after a lost reply
if not job[2] or not job[3] then
  if outcome == 'delivered' then
    return ended == 'SUCCESS' and 1 or 0
  end

  return outcome == 'failed' and ended == 'FAILURE' and 2 or 0
end

-- Redis at its maxmemory refuses nothing after a script's first write, and this one
-- needs no memory
call('ZREM', P .. 'hooks', id)

if outcome == 'delivered' then
  hook_ended(id, 'SUCCESS', tries, url, '')
  return 1
end

local due = now

if outcome == 'failed' then
  due = now + ARGV[6]
  err = ARGV[7]

  if due >= tonumber(job[3]) then
    hook_ended(id, 'FAILURE', tries, url, err)
    return 2
  end
end

set_hook(id, 'PENDING', tries, url, err)
call('ZADD', P .. 'hooks', text(due), id)

if outcome == 'returned' then
  publish('hooks')
end

return 1
