-- Arguments: page, jobs of a page, state or '', user_id or '', bytes of jobs that
-- are wanted; of those beyond them only what is short, without parts; type or ''.
-- The jobs of a page, the newest first. Each filter has a list of its own, but for
-- the type preheat. If that is not enough, one of the lists is looked through, as
-- far as SCAN_MAX.
-- Reply: {jobs in total, jobs that were not looked at; and for each job {id,
-- fields as HGETALL}}.
local SCAN_MAX = 10000

-- the rest is done by looks
for _ = 1, 10 do
  if not unlist_expired() then
    break
  end
end

local per_page = tonumber(ARGV[3])
local first = (ARGV[2] - 1) * per_page
local state, user, kind = ARGV[4], ARGV[5], ARGV[7]
local lists = P .. 'jobs'
local filters = 0

for _, filter in ipairs({{state, ''}, {user, 'user:'}}) do
  if filter[1] ~= '' then
    lists = filters == 0 and P .. 'jobs:' .. filter[2] .. filter[1] or lists
    filters = filters + 1
  end
end

if kind == 'preheat' then
  for _, other in ipairs(KINDS) do
    if call('EXISTS', P .. 'jobs:type:' .. other) == 1 then
      filters = filters + 2
    end
  end
elseif kind ~= '' then
  lists = P .. 'jobs:type:' .. kind
  filters = filters + 1
end

local function matches(id)
  local job = call('HMGET', job_key(id), 'user', 'state', 'kind')

  return (user == '' or job[1] == user) and (state == '' or job[2] == state)
         and (kind == '' or (job[3] or 'preheat') == kind)
end

-- N of the list from the newest but FIRST on.
local function newest(from, n)
  local ids = call('ZRANGE', lists, text(-from - n), text(-from - 1))
  local found = {}

  for i = #ids, 1, -1 do
    found[#found + 1] = ids[i]
  end

  return found
end

local total = call('ZCARD', lists)
local skipped = 0
local ids = {}

if filters > 1 then
  skipped = math.max(0, total - SCAN_MAX)
  total = 0

  for _, id in ipairs(newest(0, SCAN_MAX)) do
    if matches(id) then
      total = total + 1

      if total > first and #ids < per_page then
        ids[#ids + 1] = id
      end
    end
  end

elseif first < total then
  ids = newest(first, math.min(per_page, total - first))
end

local reply = {total, skipped}
local room = tonumber(ARGV[6])

-- Its fields and their values, and the bytes of these.
local function whole(id)
  local job = call('HGETALL', job_key(id))
  local bytes = 0

  for i = 1, #job, 2 do
    if job[i] == 'sealed' or job[i] == 'hook' then
      job[i + 1] = ''
    end

    bytes = bytes + #job[i] + #job[i + 1]
  end

  return job, bytes
end

local function short(id)
  local job = {}
  local names = {'uuid', 'state', 'about', 'created', 'updated', 'webhook'}

  for i, value in ipairs(call('HMGET', job_key(id), unpack(names))) do
    if value then
      job[#job + 1] = names[i]
      job[#job + 1] = value
    end
  end

  if #job > 0 then
    job[#job + 1] = 'parts'
    job[#job + 1] = '0'
  end

  return job, 0
end

for _, id in ipairs(ids) do
  local job, bytes = (room > 0 and whole or short)(id)

  room = room - bytes

  if #job > 0 then
    job[#job + 1] = 'id'
    job[#job + 1] = id
    reply[#reply + 1] = job
  end
end

return reply
