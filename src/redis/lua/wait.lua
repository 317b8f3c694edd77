-- Arguments: id, milliseconds for which its progress is watched; 0: it is not.
-- Somebody waits for the end of the job: a message tells it.
-- Reply: 1; or 0: the job has ended, or does not exist.
if call('HGET', job_key(ARGV[2]), 'state') ~= 'PENDING' then
  return 0
end

call('HSET', job_key(ARGV[2]), 'wait', '1')

if ARGV[3] ~= '0' then
  call('HSET', job_key(ARGV[2]), 'watch', text(now + ARGV[3]))
end

return 1
