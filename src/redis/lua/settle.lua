-- Arguments: id.
-- Ends the job if its deadline has passed.
-- Reply: 1 if it has, otherwise 0.
local deadline = call('ZSCORE', P .. 'deadlines', ARGV[2])

if deadline and tonumber(deadline) <= now then
  overdue(ARGV[2])
  return 1
end

return 0
