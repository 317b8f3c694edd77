-- Precedes every script except check. ARGV[1] is the prefix of all keys. Times
-- are in milliseconds of Redis's clock: "wall" is its current value, and
-- "now", which leases and deadlines are compared with, never goes back.
--
-- schema        hash: version: of this layout; offset: now minus wall;
--               last: the last "now" that a look has stored; listen: until when
--               somebody listens to all listed jobs, and heard: since when
--               somebody has, without a gap
-- job:ID        hash: the job. Its parts are numbered from 1; those of one
--               cluster follow each other. Part I has c:I cluster and
--               task_uuid, q:I queue, n:I number of the newest run, d:I
--               expired leases, s:I state, g:I progress, r:I results, e:I
--               error, b:I parts that were before it when it was queued. A
--               part that only one nginx can run has h:I, "ADDRESS NAME" of
--               that nginx, and u:I if it failed because that nginx was away.
--               If there are several parts, cluster C has rule:C "first part,
--               parts, parts that may be unreachable, per cent that must
--               succeed", left:C parts that have not ended, done:C succeeded,
--               away:C unreachable; z:I, of its first part, is its state.
--               owner: of a job that is not listed, the token that may see
--               it. kind: its type, if that is not preheat and it is listed.
--               task: what finds it as task:TASK.
--               wait: somebody waits for its end; watch: until when its
--               progress is watched.
--               webhook: "STATE TRIES UPDATED URL ERROR" of its delivery, URL
--               without secrets; until that has ended, hook: URL and secret,
--               sealed, and since the end of the job hook_until: when it is
--               given up.
--               keep_until: until when it is kept, if it succeeds; kept_in: its
--               clusters, " 1 2 "; kept_by: which nginx keep it: "all", "chosen":
--               those that have kept:NAME, or addresses, " A B "; instead: ids of
--               jobs that are not kept any longer then. Of a kept job
--               looks is how many numbers after those of its parts are used by
--               looks, each by one instance, kept:NAME (0: none yet); secret: it
--               has sealed:ID. A look is queued, leased and finished as a part
--               is, and has c:I, d:I, e:I, g:I, h:I, n:I, q:I, s:I likewise, but
--               s:I only as long as it is under way; x:I its deadline, i:I the
--               name of the instance, and l:I "STATE TIME WARMED" of the last
--               look that has ended
-- job:next      the greatest id so far
-- jobs          sorted set of the jobs that are listed, by id; likewise
--               jobs:STATE, and jobs:user:USER_ID; those with a kind also in
--               jobs:type:KIND
-- task:TASK     the newest job that has preheated this task of Dragonfly, by the
--               first half of its id
-- expiry        sorted set of "ID USER_ID" by the time when the job expires
-- once:HASH     "ID UUID HASH" of a POST with an Idempotency-Key: the job, and
--               the hash of the body
-- kept          sorted set of the jobs that are kept, or will be when they have
--               succeeded, by keep_until
-- sealed:ID     the credentials of a kept job; it expires at keep_until
-- looked:QUEUE  sorted set of kept jobs by the time when this nginx has looked at
--               them last, and looking:QUEUE of those that it looks at now, by
--               the deadline of that
-- hooks         sorted set of ended jobs whose webhook is to be delivered, by the
--               time when it is due; while it is tried, when that counts as lost
-- uuid:UUID     id of the job with this uuid, for a POST that is sent again;
--               or of the job or token that a DELETE with this uuid has deleted
-- ready:QUEUE   sorted set of ID:I by their turn
-- turn:QUEUE:T  the last turn of the token T in this queue
-- back:QUEUE:T  the last turn of what T has got back there, for a short time
-- lease:QUEUE   sorted set of ID:I by the time when the lease expires
-- deadlines     sorted set of unfinished jobs by their deadline
-- owners:NAME   sorted set of the queues of one instance, by the time of the
--               last look, or 0 after its nginx has stopped. Each nginx that
--               was started with this name has its own queue.
-- members       sorted set of all queues by the time until which their nginx
--               counts as running
-- QUEUE         hash: id, name, address, who ("ADDRESS NAME"), clusters
--               ("1,2"), definitions of them (see dfp_definition.h), number of
--               the configuration, lease and process of the nginx, since when
--               it has been running without a gap, and its last look before
--               that gap (0: it was started then); it expires
-- peers:ID      the peers that the scheduler of the cluster ID has listed within
--               the last hour (see dfp_known.h); it expires
-- claims:WORKER number of the last look that claimed something, and its claims
-- KEYS[1]       hash: what the nginx that sends the script has counted for its
--               metrics, of jobs that are listed: accepted: those that it has
--               stored; C:STATE those for cluster C that it has ended; le:MS
--               those that it has ended, by the time since their POST; ms: the
--               sum of these times; deleted: those that it has deleted before
--               their end. Whoever sends the script that ends a job counts it,
--               so it is counted once. hook:STATE: webhooks whose delivery it
--               has ended, likewise. It expires
-- token:ID      hash: a token; token:names and token:hash:HASH find it.
--               used: the minute in which it was found last while it was valid
-- token:next    the greatest id so far
-- token:list    sorted set of the ids of tokens, by id, up to token:listed; ids
--               beyond that are added when the list is read, so that it has
--               those of releases without a list
local P = ARGV[1]
local call = redis.call
local schema = call('HMGET', P .. 'schema', 'version', 'offset', 'last',
                    'listen')
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
local MINUTE = 60000

-- ms: how long the last turn of a token is known, and that of what it got back
local TURN_TIME = 86400000
local BACK_TIME = 60000

-- queues of one instance that are looked at, of nginx that are away, and of
-- those with other definitions; nginx that a job may choose from; parts that are
-- moved or ended at once
local OWNERS_MAX = 10
local MEMBERS_MAX = 1000
local PARTS_MAX = 100

-- parts of a job, and looks at it; jobs that are kept
local JOB_PARTS_MAX = 1000
local KEPT_MAX = 1000

-- ms after the end of a job: how long its webhook is tried, and how long the job
-- is kept for that
local HOOK_TIME = 3600000
local HOOK_KEEP = 4200000

-- ms: how long it is known which peers the scheduler of a cluster has listed
local PEERS_TIME = 3600000

-- ms until the hash of an nginx that is away expires
local INSTANCE_TIME = 86400000

-- ms: the upper bounds of the times that are counted as le:MS. The file
-- src/core/ngx_dfp_counters.c has the same bounds
local DURATIONS = {100, 500, 1000, 2000, 5000, 10000, 30000, 60000, 120000,
                   300000, 600000, 1200000, 3600000, 7200000, 21600000}

-- The heartbeat keeps what a new field has begun.
local function add_count(field, n)
  if KEYS[1] and call('HINCRBY', KEYS[1], field, text(n)) == n then
    call('PEXPIRE', KEYS[1], INSTANCE_TIME)
  end
end

local function count_job(created)
  local took = math.max(0, wall - (created or wall))
  local bound = 'inf'

  for _, ms in ipairs(DURATIONS) do
    if took <= ms then
      bound = text(ms)
      break
    end
  end

  add_count('le:' .. bound, 1)
  add_count('ms', took)
end

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

-- Whether somebody listens to all listed jobs.
local function is_heard()
  return schema[4] and tonumber(schema[4]) >= now
end

-- Tells all workers. PUBLISH may be forbidden.
local function publish(message)
  redis.pcall('PUBLISH', P .. 'wake', message)
end

local function job_key(id)
  return P .. 'job:' .. id
end

-- How many parts a job has. A hash that was damaged may have any number.
local function parts_of(stored)
  return math.min(tonumber(stored) or 0, JOB_PARTS_MAX)
end

-- What is shown of a token; nil: there is none.
local function shown_token(id)
  local token = call('HMGET', P .. 'token:' .. id, 'name', 'bio', 'scopes',
                     'state', 'expired_at', 'user_id', 'created', 'updated',
                     'used')

  if token[1] then
    table.insert(token, 1, id)
    return token
  end
end

-- Tells all workers that a token was changed. Without permission for the
-- channel they notice it some seconds later.
local function token_changed(id)
  publish('token ' .. id)
end

-- The queue of the part, until when somebody watches its job, and the deadline of
-- a look, if the part still belongs to this run; otherwise nil. The
-- uuid is compared because Redis may have lost its newest writes, and the id
-- may belong to another job now.
local function mine(id, part, run, uuid)
  local job = call('HMGET', job_key(id), 's:' .. part, 'n:' .. part, 'uuid',
                   'q:' .. part, 'watch', 'x:' .. part)

  if job[1] == 'PENDING' and job[2] == run and job[3] == uuid then
    return job[4], job[5], job[6]
  end
end

local function head_turn(queue)
  return tonumber(call('ZRANGE', P .. 'ready:' .. queue, 0, 0,
                       'WITHSCORES')[2])
end

-- Queues the part, and wakes workers if they would not find it by themselves.
-- PUBLISH may be forbidden: without it workers look later.
local function queue_up(queue, member, turn, wake)
  call('ZADD', P .. 'ready:' .. queue, text(turn), member)

  if wake then
    publish(queue)
  end
end

-- The next turn of a token in a queue, by the key of the last one.
local function next_turn(key, head, keep)
  local last = tonumber(call('GET', key) or 0)
  local turn = math.max(head or now * 1000, last + 1)

  call('SET', key, text(turn), 'PX', keep)

  return turn, last
end

-- Returns a part whose turn it was already: it is next, but if many come back,
-- as at a reload, one of them at each turn. Workers that find a part look again
-- until the queue is empty.
local function requeue(queue, member)
  local head = head_turn(queue)
  local token = call('HGET', job_key(member:match('^%d+')), 'token') or ''
  local turn = next_turn(P .. 'back:' .. queue .. ':' .. token, head, BACK_TIME)

  queue_up(queue, member, turn, not head)
end

-- Queues a new part. Tokens take turns: a part is as far behind the head of the
-- queue as its token has parts in it. An empty queue begins with the time, as
-- microseconds, which is beyond all turns that there were. There may be a run
-- for a token that has no parts in the queue yet. Returns whether other parts
-- wait.
local function wait(queue, member, token)
  local head = head_turn(queue)
  local turn, last = next_turn(P .. 'turn:' .. queue .. ':' .. token, head,
                               TURN_TIME)

  queue_up(queue, member, turn, not head or last < head)

  return head
end

-- How many parts are before a queued one, or at least; nil: it is not queued.
local function before(queue, member)
  local key = P .. 'ready:' .. queue
  local turn = call('ZSCORE', key, member)

  if not turn then
    return nil
  end

  local n = call('ZCOUNT', key, '-inf', '(' .. turn)

  for _, other in ipairs(call('ZRANGEBYSCORE', key, turn, turn, 'LIMIT', 0,
                              PARTS_MAX)) do
    if other == member then
      break
    end

    n = n + 1
  end

  return n
end

-- The age in ms of the oldest of the first N parts of a queue, without looks at
-- kept jobs; nil: there is none. Tokens take turns, so it is rarely the first; ids
-- grow with time.
local function oldest_age(queue, n)
  local oldest

  for _, member in ipairs(call('ZRANGE', P .. 'ready:' .. queue, 0, n - 1)) do
    local id, part = member:match('^(%d+):(%d+)$')

    id = tonumber(id)

    if id and (not oldest or id < oldest)
       and not call('HGET', job_key(text(id)), 'x:' .. part)
    then
      oldest = id
    end
  end

  if oldest then
    local created = call('HGET', job_key(text(oldest)), 'created')

    return math.max(0, wall - (created or wall))
  end
end

-- A part of one of several has ended: the state of its cluster, or nil as long
-- as other parts of it have not. Enough parts must have succeeded, but some
-- whose nginx was away are not counted, as the rule says.
local function cluster_state(k, cluster, state, away)
  local rule = call('HGET', k, 'rule:' .. cluster)

  if not rule then
    return state
  end

  local done = call('HINCRBY', k, 'done:' .. cluster,
                    state == 'SUCCESS' and 1 or 0)
  local gone = call('HINCRBY', k, 'away:' .. cluster, away and 1 or 0)

  if call('HINCRBY', k, 'left:' .. cluster, -1) > 0 then
    return nil
  end

  local first, n, tolerated, threshold = rule:match('^(%d+) (%d+) (%d+) (%d+)$')
  local counted = n - math.min(gone, tolerated)
  local needed = math.max(1, math.ceil(counted * threshold / 100))
  local whole = done >= needed and 'SUCCESS' or 'FAILURE'

  call('HSET', k, 'z:' .. first, whole)

  return whole
end

-- The types of listed jobs other than preheat.
local KINDS = {'get_task', 'delete_task'}

-- The lists of a job.
local function list(id, user, state, kind)
  call('ZADD', P .. 'jobs', id, id)
  call('ZADD', P .. 'jobs:' .. state, id, id)
  call('ZADD', P .. 'jobs:user:' .. user, id, id)

  if kind and kind ~= '' then
    call('ZADD', P .. 'jobs:type:' .. kind, id, id)
  end
end

local function unlist(id, user)
  call('ZREM', P .. 'jobs', id)
  call('ZREM', P .. 'jobs:user:' .. user, id)

  for _, state in ipairs({'PENDING', 'SUCCESS', 'FAILURE'}) do
    call('ZREM', P .. 'jobs:' .. state, id)
  end

  for _, kind in ipairs(KINDS) do
    call('ZREM', P .. 'jobs:type:' .. kind, id)
  end

  call('ZREM', P .. 'expiry', id .. ' ' .. user)
end

-- Jobs whose retention has ended leave the lists. Returns whether some are left.
local function unlist_expired()
  local expired = call('ZRANGEBYSCORE', P .. 'expiry', '-inf', now_text, 'LIMIT',
                       0, PARTS_MAX)

  for _, member in ipairs(expired) do
    unlist(member:match('^(%d+) (-?%d+)$'))
  end

  return #expired == PARTS_MAX
end

-- From now on TASK, which may be nil, finds this job for KEEP ms only.
local function keep_task(id, task, keep)
  if task and call('GET', P .. 'task:' .. task) == text(id) then
    call('PEXPIRE', P .. 'task:' .. task, text(keep))
  end
end

-- The job has ended, so its webhook is due.
local function hook(id)
  call('HSET', job_key(id), 'hook_until', text(now + HOOK_TIME))
  call('ZADD', P .. 'hooks', now_text, id)
  publish('hooks')
end

-- How the delivery of a webhook stands.
local function set_hook(id, state, tries, url, err)
  call('HSET', job_key(id), 'webhook',
       table.concat({state, tries, text(wall), url, err}, ' '))
end

-- The delivery has ended.
local function hook_ended(id, state, tries, url, err)
  call('ZREM', P .. 'hooks', id)
  set_hook(id, state, tries, url, err)
  call('HDEL', job_key(id), 'hook', 'hook_until')
  add_count('hook:' .. state, 1)
end

-- What only an unfinished job needs, above all its credentials, is erased.
local function forget(k, parts)
  local fields = {'sealed', 'left', 'keep', 'token', 'timeout', 'deadline',
                  'failed', 'configured', 'wait'}

  for part = 1, parts_of(parts) do
    for _, field in ipairs({'q:', 'n:', 'b:'}) do
      fields[#fields + 1] = field .. part
    end
  end

  call('HDEL', k, unpack(fields))
end

-- Parts and looks FIRST to LAST are not run any more.
local function withdraw(id, first, last)
  for part = first, last do
    local queue = call('HGET', job_key(id), 'q:' .. part)

    if queue then
      call('ZREM', P .. 'ready:' .. queue, id .. ':' .. part)
      call('ZREM', P .. 'lease:' .. queue, id .. ':' .. part)
      call('ZREM', P .. 'looking:' .. queue, id)
    end
  end
end

-- The job has ended in this state, and was to be kept. Returns for how many ms it
-- is. What looks need is stored again: all of it was erased.
local function keep_job(id, state, keep_until, sealed, timeout, configured,
                        instead)
  local left = keep_until - now

  if state ~= 'SUCCESS' or left <= 0 then
    call('ZREM', P .. 'kept', id)
    return 0
  end

  call('HSET', job_key(id), 'looks', '0', 'timeout', timeout or '0')

  for old in (instead or ''):gmatch('%d+') do
    call('ZADD', P .. 'kept', 'XX', now_text, old)
  end

  if configured then
    call('HSET', job_key(id), 'configured', configured)
  end

  if sealed then
    call('HSET', job_key(id), 'secret', '1')
    call('SET', P .. 'sealed:' .. id, sealed, 'PX', text(left))
  end

  return left
end

local function look_ended(id, part, state, err, warmed)
  local k = job_key(id)

  withdraw(id, tonumber(part), tonumber(part))
  call('HDEL', k, 's:' .. part, 'x:' .. part, 'g:' .. part, 'd:' .. part,
       'e:' .. part)
  call('HSET', k, 'l:' .. part, table.concat({state, text(wall),
       warmed ~= '' and warmed or '0'}, ' '))

  if err ~= '' then
    call('HSET', k, 'e:' .. part, err)
  end
end

-- Ends a part, or a look. The job ends with its last part. AWAY: its nginx is away.
local function finish(id, part, state, err, results, progress, away)
  local k = job_key(id)
  local job = call('HMGET', k, 's:' .. part, 'q:' .. part, 'keep', 'left',
                   'failed', 'c:' .. part, 'wait', 'user', 'parts', 'hook',
                   'watch', 'kind', 'task', 'x:' .. part, 'keep_until',
                   'sealed', 'timeout', 'configured', 'instead')

  if job[1] ~= 'PENDING' then
    return
  end

  if job[14] then
    look_ended(id, part, state, err, results)
    return
  end

  local member = id .. ':' .. part

  if call('ZREM', P .. 'lease:' .. job[2], member) == 0 then
    call('ZREM', P .. 'ready:' .. job[2], member)
  end

  local in_cluster = job[6]:match('^%d+')
  local cluster = cluster_state(k, in_cluster, state, away)
  local left = job[4] - 1
  local failed = job[5] or cluster == 'FAILURE' or (left == 0 and not cluster)
  local whole = 'PENDING'

  if left == 0 then
    whole = failed and 'FAILURE' or 'SUCCESS'
  end

  call('HSET', k, 's:' .. part, state, 'left', text(left), 'state', whole,
       'updated', text(wall))

  if err ~= '' then
    call('HSET', k, 'e:' .. part, err)
  end

  if results ~= '' then
    call('HSET', k, 'r:' .. part, results)
  end

  if failed then
    call('HSET', k, 'failed', '1')
  end

  if progress then
    call('HSET', k, 'g:' .. part, progress)
  end

  if away then
    call('HSET', k, 'u:' .. part, '1')
  end

  if left == 0 then
    local keep = tonumber(job[3])

    if job[10] then
      keep = math.max(keep, HOOK_KEEP)
      hook(id)
    end

    forget(k, job[9])
    call('ZREM', P .. 'deadlines', id)

    if job[15] then
      keep = keep + keep_job(id, whole, tonumber(job[15]), job[16], job[17],
                             job[18], job[19])
    end

    call('PEXPIRE', k, text(keep))
    keep_task(id, job[13], keep)

    -- jobs of older releases, and some of their own kind, are not listed
    if job[8] then
      call('ZREM', P .. 'jobs:PENDING', id)
      call('ZADD', P .. 'jobs:' .. whole, id, id)
      call('ZADD', P .. 'expiry', text(now + keep), id .. ' ' .. job[8])

      if not job[12] then
        count_job(call('HGET', k, 'created'))
      end
    end

    if job[7] or (job[8] and is_heard()) then
      publish('job ' .. id)
    end

  elseif (job[11] and tonumber(job[11]) >= now) or (job[8] and is_heard()) then
    publish('progress ' .. id)
  end

  if cluster and job[8] and not job[12] then
    add_count(in_cluster .. ':' .. cluster, 1)
  end
end

-- How a part waited that nobody has run: how many were before it.
local function waited(id, part)
  local job = call('HMGET', job_key(id), 'q:' .. part, 'b:' .. part)
  local now_before = before(job[1], id .. ':' .. part)

  if not now_before then
    return ''
  end

  return '; ' .. (job[2] or 0) .. ' parts were before it in the queue when it '
         .. 'was posted, ' .. now_before .. ' at the end'
end

-- Ends the unfinished parts of a job after its deadline. A run has some more
-- time to report, since it knows what has failed and why. Returns the number of
-- its parts.
local function overdue(id)
  local job = call('HMGET', job_key(id), 'parts', 'created', 'deadline',
                   'timeout')

  if not job[1] then
    call('ZREM', P .. 'deadlines', id)
    return 0
  end

  local parts = parts_of(job[1])
  local timeout = job[4] or job[3] - job[2]

  for part = 1, parts do
    local runs = call('HGET', job_key(id), 'n:' .. part)
    local what = 'the run had not ended'

    if runs == '0' then
      what = 'no worker had taken it up' .. waited(id, part)
    end

    if runs == '0' or now >= job[3] + REPORT_TIME then
      finish(id, part, 'FAILURE', 'the timeout of the job, ' ..
             timeout / 1000 .. ' s, has passed: ' .. what, '')
    end
  end

  -- all have ended, unless the hash was damaged
  if now >= job[3] + REPORT_TIME then
    call('ZREM', P .. 'deadlines', id)
  end

  return parts
end
