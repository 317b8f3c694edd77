-- Stands in front of every script. ARGV[1] is the prefix of all keys.
-- Times are milliseconds of Redis's own clock.
--
-- job:ID        hash: the job; its parts are numbered from 1, and part I has
--               q:I queue, n:I number of the newest run, d:I runs that died,
--               s:I state, g:I progress, r:I results, e:I error
-- ready:QUEUE   sorted set of ID:I, by the time since when it waits
-- lease:QUEUE   sorted set of ID:I, by the time when the lease runs out
-- deadlines     sorted set of the jobs that have not ended, by their deadline
local P = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function job_key(id)
  return P .. 'job:' .. id
end

-- Ends a part; the job ends with its last part. Secrets go with it.
local function finish(id, part, state, err, results)
  local k = job_key(id)
  local job = redis.call('HMGET', k, 's:' .. part, 'q:' .. part, 'keep')

  if job[1] ~= 'PENDING' then
    return false
  end

  local member = id .. ':' .. part
  redis.call('ZREM', P .. 'ready:' .. job[2], member)
  redis.call('ZREM', P .. 'lease:' .. job[2], member)
  redis.call('HSET', k, 's:' .. part, state, 'e:' .. part, err,
             'r:' .. part, results, 'updated', now)

  if state == 'FAILURE' then
    redis.call('HSET', k, 'failed', 1)
  end

  if redis.call('HINCRBY', k, 'left', -1) == 0 then
    local failed = redis.call('HGET', k, 'failed')
    redis.call('HSET', k, 'state', failed and 'FAILURE' or 'SUCCESS')
    redis.call('HDEL', k, 'sealed')
    redis.call('ZREM', P .. 'deadlines', id)
    redis.call('PEXPIRE', k, job[3])
    redis.call('PUBLISH', P .. 'ended', id)
  end

  return true
end

-- Ends what is left of a job whose time is over.
local function overdue(id)
  local job = redis.call('HMGET', job_key(id), 'parts', 'timeout')

  if not job[1] then
    redis.call('ZREM', P .. 'deadlines', id)
    return
  end

  for part = 1, tonumber(job[1]) do
    local runs = redis.call('HGET', job_key(id), 'n:' .. part)
    local what = runs == '0' and 'no worker had taken it up'
                 or 'the run had not ended'
    finish(id, part, 'FAILURE', 'the timeout of the job, ' ..
           job[2] / 1000 .. ' s, has passed: ' .. what, '')
  end
end
