-- id: ends the job if its time is over -> 1 or 0
local deadline = call('ZSCORE', P .. 'deadlines', ARGV[2])

if deadline and tonumber(deadline) <= now then
  overdue(ARGV[2])
  return 1
end

return 0
