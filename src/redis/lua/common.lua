-- Stands in front of every script but check. ARGV[1] is the prefix of all
-- keys. Times are milliseconds of Redis's own clock; WALL is what it shows, and
-- NOW, by which leases and deadlines are counted, never goes back.
--
-- schema        hash: version of all this; offset: what NOW is ahead of WALL;
--               last: the last NOW that a look has written down
-- job:ID        hash: the job; its parts are numbered from 1, and part I has
--               c:I cluster and task_uuid, q:I queue, n:I number of the newest
--               run, d:I runs that died, s:I state, g:I progress, r:I results,
--               e:I error
-- job:next      the greatest id so far
-- uuid:UUID     the job of a POST, for one that is sent again
-- ready:QUEUE   sorted set of ID:I, by the time since when it waits
-- lease:QUEUE   sorted set of ID:I, by the time when the lease runs out
-- deadlines     sorted set of the jobs that have not ended, by their deadline
-- owners:NAME   sorted set of the queues of one instance: each nginx that has
--               started under this name has its own; by the time when it last
--               looked into it, 0 when it has stopped
-- QUEUE         hash: who that is; it expires
local P = ARGV[1]
local call = redis.call
local schema = call('HMGET', P .. 'schema', 'version', 'offset', 'last')
local time = call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)
local now = wall + (schema[2] or 0)

-- Redis prints a number that it is given with 17 digits, which takes long.
local function text(number)
  return string.format('%d', number)
end

local now_text = text(now)

local function set_clock(to)
  now = to
  now_text = text(to)
  call('HSET', P .. 'schema', 'offset', text(to - wall), 'last', now_text)
end

if schema[1] ~= '1' then
  if schema[1] then
    return redis.error_reply('DFPSCHEMA ' .. schema[1])
  end

  call('HSET', P .. 'schema', 'version', '1')
end

-- a second is nothing to care about, and not a step
if schema[3] and now < schema[3] - 1000 then
  set_clock(tonumber(schema[3]))
end

local function job_key(id)
  return P .. 'job:' .. id
end

-- The queue of a part that is still this run's; otherwise nothing. Redis may
-- have lost its newest writes, so that the id is another job's.
local function mine(id, part, run, uuid)
  local job = call('HMGET', job_key(id), 's:' .. part, 'n:' .. part, 'uuid',
                   'q:' .. part)

  if job[1] == 'PENDING' and job[2] == run and job[3] == uuid then
    return job[4]
  end
end

-- The part waits for a worker. Those that look on take all there is, so the
-- hint is for those that found nothing; without it they look a bit later.
local function wait(queue, member)
  local key = P .. 'ready:' .. queue

  call('ZADD', key, now_text, member)

  if call('ZCARD', key) == 1 then
    redis.pcall('PUBLISH', P .. 'wake', queue)
  end
end

-- Ends a part; the job ends with its last part. Secrets go with it.
local function finish(id, part, state, err, results, progress)
  local k = job_key(id)
  local job = call('HMGET', k, 's:' .. part, 'q:' .. part, 'keep', 'left',
                   'failed')

  if job[1] ~= 'PENDING' then
    return
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
       results, 'left', text(left), 'state', whole, 'updated', text(wall))

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
end

-- Ends what is left of a job whose time is over. A run has half a second more,
-- since it knows what has failed, and why.
local function overdue(id)
  local job = call('HMGET', job_key(id), 'parts', 'created', 'deadline',
                   'timeout')

  if not job[1] then
    call('ZREM', P .. 'deadlines', id)
    return
  end

  local timeout = job[4] or job[3] - job[2]

  for part = 1, tonumber(job[1]) do
    local runs = call('HGET', job_key(id), 'n:' .. part)
    local what = runs == '0' and 'no worker had taken it up'
                 or 'the run had not ended'

    if runs == '0' or now >= job[3] + 500 then
      finish(id, part, 'FAILURE', 'the timeout of the job, ' ..
             timeout / 1000 .. ' s, has passed: ' .. what, '')
    end
  end
end
