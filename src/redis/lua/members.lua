-- Arguments: none.
-- All nginx that are members of clusters or were so, by name, at most
-- MEMBERS_MAX: those that were seen last.
-- Reply: for each {id, name, address, clusters, definitions, 1 if it is running
-- or else 0, time since when, time of its last heartbeat, parts that wait in its
-- queue, parts that run, age in ms of the oldest of those that are next or -1}.
local AGES_MAX = 10000
local reply = {}
local known = call('ZRANGE', P .. 'members', -MEMBERS_MAX, -1, 'WITHSCORES')

-- parts of each queue; of all queues at most AGES_MAX
local looked = math.min(PARTS_MAX, math.floor(2 * AGES_MAX / #known))

for i = 1, #known, 2 do
  local queue, kept = known[i], tonumber(known[i + 1])
  local m = call('HMGET', P .. queue, 'id', 'name', 'address', 'clusters',
                 'definitions', 'since', 'seen')

  -- one that has not sent a heartbeat yet, or none for a day
  if m[1] and m[2] and m[3] and m[4] then
    local look = tonumber(call('ZSCORE', P .. 'owners:' .. m[1], queue) or 0)
    local running = kept > now and look > 0

    -- 0: it has stopped
    reply[#reply + 1] = {m[1], m[2], m[3], m[4], m[5] or '', running and 1 or 0,
                         text((m[6] or now) - now + wall), m[7] or text(wall),
                         call('ZCARD', P .. 'ready:' .. queue),
                         call('ZCARD', P .. 'lease:' .. queue),
                         oldest_age(queue, looked) or -1}
  end
end

table.sort(reply, function(a, b)
  return a[2] < b[2]
end)

return reply
