-- Arguments: id, part, run, uuid, lease, progress.
-- Stores the progress of a run and renews its lease.
-- Reply: 1; or 0: the part belongs to another run now.
local member = ARGV[2] .. ':' .. ARGV[3]
local queue, watched, is_look = mine(ARGV[2], ARGV[3], ARGV[4], ARGV[5])

if not queue then
  return 0
end

call('ZREM', P .. 'ready:' .. queue, member)
call('ZADD', P .. 'lease:' .. queue, text(now + ARGV[6]), member)

-- a look changes nothing of its job before it has ended
if is_look then
  return 1
end

call('HSET', job_key(ARGV[2]), 'g:' .. ARGV[3], ARGV[7], 'updated', text(wall))

-- without this message the job is read from time to time
if (watched and tonumber(watched) >= now) or is_heard() then
  publish('progress ' .. ARGV[2])
end

return 1
