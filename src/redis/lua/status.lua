-- Arguments: queue.
-- Reply: {parts that wait in the queue, parts that run, age in ms of the oldest
-- of those that are next, webhooks that are to be delivered by any nginx, ms since
-- the end of the job whose webhook waits longest, of those that are due first};
-- then what this nginx has counted, as field, value.
local queue = ARGV[2]

local function oldest_hook()
  local oldest = 0

  for _, id in ipairs(call('ZRANGE', P .. 'hooks', 0, PARTS_MAX - 1)) do
    local ends = tonumber(call('HGET', job_key(id), 'hook_until') or nil)

    if ends then
      oldest = math.max(oldest, now - ends + HOOK_TIME)
    end
  end

  return oldest
end

local reply = {call('ZCARD', P .. 'ready:' .. queue),
               call('ZCARD', P .. 'lease:' .. queue),
               oldest_age(queue, PARTS_MAX) or 0,
               call('ZCARD', P .. 'hooks'), oldest_hook()}

for _, element in ipairs(KEYS[1] and call('HGETALL', KEYS[1]) or {}) do
  reply[#reply + 1] = element
end

return reply
