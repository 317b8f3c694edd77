-- Stands in front of every script. ARGV[1] is the prefix of all keys.
-- Times are milliseconds of Redis's own clock.
--
-- job:ID        hash: the job; its parts are numbered from 1, and part I has
--               c:I cluster, q:I queue, t:I task_uuid, n:I number of the
--               newest run, d:I runs that died, s:I state, g:I progress,
--               r:I results, e:I error
-- uuid:UUID     the job of a POST, for one that is sent again
-- ready:QUEUE   sorted set of ID:I, by the time since when it waits
-- lease:QUEUE   sorted set of ID:I, by the time when the lease runs out
-- deadlines     sorted set of the jobs that have not ended, by their deadline
local P = ARGV[1]
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function job_key(id)
  return P .. 'job:' .. id
end

-- Ends a part; the job ends with its last part. Secrets go with it.
local function finish(id, part, state, err, results, progress)
  local k = job_key(id)
  local job = call('HMGET', k, 's:' .. part, 'q:' .. part, 'keep', 'left',
                   'failed')

  if job[1] ~= 'PENDING' then
    return false
  end

  local member = id .. ':' .. part

  if call('ZREM', P .. 'lease:' .. job[2], member) == 0 then
    call('ZREM', P .. 'ready:' .. job[2], member)
  end

  local left = job[4] - 1
  local failed = (job[5] == '1' or state == 'FAILURE') and 1 or 0
  local whole = 'PENDING'

  if left == 0 then
    whole = failed == 1 and 'FAILURE' or 'SUCCESS'
  end

  call('HSET', k, 's:' .. part, state, 'e:' .. part, err, 'r:' .. part,
       results, 'left', left, 'failed', failed, 'state', whole, 'updated',
       now)

  if progress then
    call('HSET', k, 'g:' .. part, progress)
  end

  if left == 0 then
    call('HDEL', k, 'sealed')
    call('ZREM', P .. 'deadlines', id)
    call('PEXPIRE', k, job[3])
  end

  return true
end

-- Ends what is left of a job whose time is over.
local function overdue(id)
  local job = call('HMGET', job_key(id), 'parts', 'timeout')

  if not job[1] then
    call('ZREM', P .. 'deadlines', id)
    return
  end

  for part = 1, tonumber(job[1]) do
    local runs = call('HGET', job_key(id), 'n:' .. part)
    local what = runs == '0' and 'no worker had taken it up'
                 or 'the run had not ended'
    finish(id, part, 'FAILURE', 'the timeout of the job, ' ..
           job[2] / 1000 .. ' s, has passed: ' .. what, '')
  end
end
