-- Arguments: id, part, run, uuid.
-- Returns the part to its queue; the attempt is not counted.
-- Reply: 1; or 0: the part belongs to another run now.
local member = ARGV[2] .. ':' .. ARGV[3]
local queue = mine(ARGV[2], ARGV[3], ARGV[4], ARGV[5])

if not queue then
  return 0
end

call('ZREM', P .. 'lease:' .. queue, member)
requeue(queue, member)

return 1
