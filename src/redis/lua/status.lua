-- Arguments: queue.
-- Reply: {parts that wait in the queue, parts that run, age in ms of the oldest
-- of those that are next}; then what this nginx has counted, as field, value.
local queue = ARGV[2]
local reply = {call('ZCARD', P .. 'ready:' .. queue),
               call('ZCARD', P .. 'lease:' .. queue),
               oldest_age(queue, PARTS_MAX) or 0}

for _, element in ipairs(KEYS[1] and call('HGETALL', KEYS[1]) or {}) do
  reply[#reply + 1] = element
end

return reply
