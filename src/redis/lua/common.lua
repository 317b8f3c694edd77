-- Precedes every script except check. ARGV[1] is the prefix of all keys. Times
-- are in milliseconds of Redis's clock: "wall" is its current value, and
-- "now", which leases and deadlines are compared with, never goes back.
--
-- schema        hash: version: of this layout; offset: now minus wall;
--               last: the last "now" that a look has stored
-- job:ID        hash: the job. Its parts are numbered from 1. Part I has
--               c:I cluster and task_uuid, q:I queue, n:I number of the newest
--               run, d:I expired leases, s:I state, g:I progress, r:I results,
--               e:I error; wait: somebody waits for its end
-- job:next      the greatest id so far
-- uuid:UUID     id of the job with this uuid, for a POST that is sent again
-- ready:QUEUE   sorted set of ID:I by the time of queueing
-- lease:QUEUE   sorted set of ID:I by the time when the lease expires
-- deadlines     sorted set of unfinished jobs by their deadline
-- owners:NAME   sorted set of the queues of one instance, by the time of the
--               last look, or 0 after its nginx has stopped. Each nginx that
--               was started with this name has its own queue.
-- QUEUE         hash: name, address and process of the nginx; it expires
-- claims:WORKER number of the last look that claimed something, and its claims
-- token:ID      hash: a token; token:names and token:hash:HASH find it
local P = ARGV[1]
local call = redis.call
local schema = call('HMGET', P .. 'schema', 'version', 'offset', 'last')
local time = call('TIME')
local wall = time[1] * 1000 + math.floor(time[2] / 1000)
local now = wall + (schema[2] or 0)

-- Redis formats numbers with 17 digits, which is slow.
local function text(number)
  return string.format('%d', number)
end

local now_text = text(now)

-- ms: how far a clock may be set back; the time for a last report after the
-- deadline of a job; how long a request may be sent again
local CLOCK_TOLERANCE = 1000
local REPORT_TIME = 500
local RESEND_TIME = 600000

-- queues of one instance that are looked at
local OWNERS_MAX = 10

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

if schema[3] and now < schema[3] - CLOCK_TOLERANCE then
  set_clock(tonumber(schema[3]))
end

local function job_key(id)
  return P .. 'job:' .. id
end

-- The queue of the part, if it still belongs to this run; otherwise nil. The
-- uuid is compared because Redis may have lost its newest writes, and the id
-- may belong to another job now.
local function mine(id, part, run, uuid)
  local job = call('HMGET', job_key(id), 's:' .. part, 'n:' .. part, 'uuid',
                   'q:' .. part)

  if job[1] == 'PENDING' and job[2] == run and job[3] == uuid then
    return job[4]
  end
end

-- Queues the part. Workers that find a part look again until the queue is
-- empty, so they are only woken when the queue was empty. PUBLISH may be
-- forbidden: without it workers look later.
local function wait(queue, member)
  local key = P .. 'ready:' .. queue

  call('ZADD', key, now_text, member)

  if call('ZCARD', key) == 1 then
    redis.pcall('PUBLISH', P .. 'wake', queue)
  end
end

-- Ends a part. The job ends with its last part, and its credentials are
-- erased.
local function finish(id, part, state, err, results, progress)
  local k = job_key(id)
  local job = call('HMGET', k, 's:' .. part, 'q:' .. part, 'keep', 'left',
                   'failed', 'wait')

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

    if job[6] then
      redis.pcall('PUBLISH', P .. 'wake', 'job ' .. id)
    end
  end
end

-- Ends the unfinished parts of a job after its deadline. A run has some more
-- time to report, since it knows what has failed and why.
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

    if runs == '0' or now >= job[3] + REPORT_TIME then
      finish(id, part, 'FAILURE', 'the timeout of the job, ' ..
             timeout / 1000 .. ' s, has passed: ' .. what, '')
    end
  end
end
