-- Stands in front of every script. ARGV[1] is the prefix of all keys.
-- Times are milliseconds of Redis's own clock.
--
-- job:ID        hash: the job; its parts are numbered from 1, and part I has
--               c:I cluster and task_uuid, q:I queue, n:I number of the newest
--               run, d:I runs that died, s:I state, g:I progress, r:I results,
--               e:I error
-- uuid:UUID     the job of a POST, for one that is sent again
-- ready:QUEUE   sorted set of ID:I, by the time since when it waits
-- lease:QUEUE   sorted set of ID:I, by the time when the lease runs out
-- deadlines     sorted set of the jobs that have not ended, by their deadline
local P = ARGV[1]
local call = redis.call
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Redis prints a number that it is given with 17 digits, which takes long.
local function text(number)
  return string.format('%d', number)
end

local now_text = text(now)

local function job_key(id)
  return P .. 'job:' .. id
end

-- The part waits for a worker. Those that look on take all there is, so the
-- hint is for those that found nothing.
local function wait(queue, member)
  local key = P .. 'ready:' .. queue

  call('ZADD', key, now_text, member)

  if call('ZCARD', key) == 1 then
    call('PUBLISH', P .. 'wake', queue)
  end
end

-- Ends a part; the job ends with its last part. Secrets go with it. With RUN,
-- only where the part is still this run's.
local function finish(id, part, state, err, results, progress, run)
  local k = job_key(id)
  local job = call('HMGET', k, 's:' .. part, 'q:' .. part, 'keep', 'left',
                   'failed', 'n:' .. part)

  if job[1] ~= 'PENDING' or run and job[6] ~= run then
    return false
  end

  local member = id .. ':' .. part

  if call('ZREM', P .. 'lease:' .. job[2], member) == 0 then
    call('ZREM', P .. 'ready:' .. job[2], member)
  end

  local left = job[4] - 1
  local failed = job[5] or state == 'FAILURE'
  local whole = 'PENDING'

  if left == 0 then
    whole = failed and 'FAILURE' or 'SUCCESS'
  end

  call('HSET', k, 's:' .. part, state, 'e:' .. part, err, 'r:' .. part,
       results, 'left', text(left), 'state', whole, 'updated', now_text)

  if failed then
    call('HSET', k, 'failed', '1')
  end

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

-- Ends what is left of a job whose time is over. A run has half a second more,
-- since it knows what has failed, and why.
local function overdue(id)
  local job = call('HMGET', job_key(id), 'parts', 'created', 'deadline')

  if not job[1] then
    call('ZREM', P .. 'deadlines', id)
    return
  end

  for part = 1, tonumber(job[1]) do
    local runs = call('HGET', job_key(id), 'n:' .. part)
    local what = runs == '0' and 'no worker had taken it up'
                 or 'the run had not ended'

    if runs == '0' or now >= job[3] + 500 then
      finish(id, part, 'FAILURE', 'the timeout of the job, ' ..
             (job[3] - job[2]) / 1000 .. ' s, has passed: ' .. what, '')
    end
  end
end
