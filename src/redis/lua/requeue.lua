-- id, part, run, uuid: the part waits again; the attempt is not counted
-- -> 1; or 0: this run is not the part's any more
local member = ARGV[2] .. ':' .. ARGV[3]
local queue = mine(ARGV[2], ARGV[3], ARGV[4], ARGV[5])

if not queue then
  return 0
end

call('ZREM', P .. 'lease:' .. queue, member)
wait(queue, member)

return 1
