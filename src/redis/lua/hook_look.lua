-- Arguments: how many of the webhooks that are due are passed over, how many are
-- wanted.
-- Tells which webhooks are due, the oldest first, and gives up those that nobody
-- has delivered in time.
-- Reply: {ms until the next one is due, or -1; how many are due; for each of these:
-- id, uuid, tries so far, URL without secrets, id of the key that it is sealed
-- with; and for each that was given up: id, tries, URL, error}.
local KEY_ID_LEN = 8

local hooks = P .. 'hooks'
local reply = {-1, 0}
local given_up = {}

local function add(list, ...)
  for _, value in ipairs({...}) do
    list[#list + 1] = value
  end
end

local function give_up(id, webhook)
  local tries, url, err = webhook:match('^%u+ (%d+) %d+ (%S+) ?(.*)$')

  if err == '' then
    err = 'no nginx has delivered it: none that ran had a location for its '
          .. 'URL and the key'
  end

  hook_ended(id, 'FAILURE', tries, url, err)
  add(given_up, id, tries, url, err)
end

local function due(id)
  local job = call('HMGET', job_key(id), 'uuid', 'hook', 'hook_until', 'webhook')

  -- Redis may have lost the end of the job
  if not job[2] or not job[3] then
    call('ZREM', hooks, id)
    return
  end

  if tonumber(job[3]) <= now then
    give_up(id, job[4])
    return
  end

  local tries, url = job[4]:match('^%u+ (%d+) %d+ (%S+)')

  add(reply, id, job[1], tries, url, job[2]:sub(1, KEY_ID_LEN))
  reply[2] = reply[2] + 1
end

for _, id in ipairs(call('ZRANGEBYSCORE', hooks, '-inf', now_text, 'LIMIT',
                         ARGV[2], ARGV[3])) do
  due(id)
end

add(reply, unpack(given_up))

local later = call('ZRANGEBYSCORE', hooks, '(' .. now_text, '+inf', 'WITHSCORES',
                   'LIMIT', 0, 1)[2]

if later then
  reply[1] = later - now
end

return reply
