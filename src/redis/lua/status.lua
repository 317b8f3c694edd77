-- Arguments: queue.
-- Reply: {parts that wait in the queue, parts that run, age in ms of the oldest
-- of those that are next}; then what this nginx has counted, as field, value.
local ready = P .. 'ready:' .. ARGV[2]
local reply = {call('ZCARD', ready), call('ZCARD', P .. 'lease:' .. ARGV[2]), 0}
local oldest

-- Tokens take turns: the oldest part of each is among those that are next, and
-- ids grow with time.
for _, member in ipairs(call('ZRANGE', ready, 0, PARTS_MAX - 1)) do
  local id = tonumber(member:match('^%d+'))

  if not oldest or id < oldest then
    oldest = id
  end
end

if oldest then
  local created = call('HGET', job_key(text(oldest)), 'created')

  reply[3] = math.max(0, wall - (created or wall))
end

for _, element in ipairs(KEYS[1] and call('HGETALL', KEYS[1]) or {}) do
  reply[#reply + 1] = element
end

return reply
