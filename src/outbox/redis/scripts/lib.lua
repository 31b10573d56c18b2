-- Shared by all scripts, which are sent as one text each: this file first. KEYS[1] is the prefix in braces, so that every
-- key of ours is in one slot of a cluster and one script can change them all in one step.
local P = KEYS[1] .. ':'

local function call(...) return redis.call(...) end
-- Equal times are handed out by number: members of sorted sets are compared as text.
local function member(number) return string.format('%016d', tonumber(number)) end
local function number(text) return string.format('%d', tonumber(text)) end
local function key_of_delivery(id) return P .. 'delivery:' .. number(id) end
local function key_of_event(id) return P .. 'event:' .. number(id) end
-- Redis' own clock: leases mean the same to every replica, whatever its clock says.
local function server_millis()
  local time = call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function remember(print, event_id, seen_for)
  call('SET', P .. 'seen:' .. print, event_id, 'PX', seen_for)
end

-- Among those that wait: ready (event-only ones apart), put off, or on their way with somebody.
local function set_of(kind, pixel) return P .. kind .. ':' .. pixel end
local KINDS = { 'ready', 'bare', 'later', 'leased' }

local function out_of_line(id, pixel)
  for _, kind in ipairs(KINDS) do call('ZREM', set_of(kind, pixel), member(id)) end
end

local function to_the_front(id)
  local d = call('HMGET', key_of_delivery(id), 'pixel', 'time', 'only')
  out_of_line(id, d[1])
  call('ZADD', set_of(d[3] == '1' and 'bare' or 'ready', d[1]), d[2], member(id))
end

local function into_line(id, now)
  local d = call('HMGET', key_of_delivery(id), 'pixel', 'due')
  if tonumber(d[2]) <= now then return to_the_front(id) end
  out_of_line(id, d[1])
  call('ZADD', set_of('later', d[1]), d[2], member(id))
end

-- The event's body, and by what its browser could be known.
local function erase(event)
  local key = key_of_event(event)
  for tie in string.gmatch(call('HGET', key, 'ties') or '', '%S+') do
    call('SREM', P .. 'tie:' .. tie, number(event))
  end
  call('HSET', key, 'body', '', 'ties', '')
  call('ZREM', P .. 'bodies', member(event))
end

local function deliveries_of(event)
  local ids = {}
  for id in string.gmatch(call('HGET', key_of_event(event), 'deliveries') or '', '%S+') do
    if call('EXISTS', key_of_delivery(id)) == 1 then table.insert(ids, id) end
  end
  return ids
end

-- Contact hashes go as soon as no pixel waits for them. A dead delivery keeps them for a while, for a retry by hand.
local function erase_unneeded(event)
  for _, id in ipairs(deliveries_of(event)) do
    local state = call('HGET', key_of_delivery(id), 'state')
    if state == 'pending' or state == 'dead' then return end
  end
  erase(event)
end

local function end_delivery(id, state, reason, now)
  local key = key_of_delivery(id)
  local before = call('HMGET', key, 'pixel', 'state')
  out_of_line(id, before[1])
  call('ZREM', P .. 'settled:' .. before[2], member(id))
  call('HSET', key, 'state', state, 'reason', reason)
  call('HDEL', key, 'owner', 'in_doubt')
  call('ZADD', P .. 'settled:' .. state, now, member(id))
end

-- Whether anything of an event waited. One that is on its way cannot be called back; it is not tried again.
local function end_event(event, reason, now)
  local waited = false
  for _, id in ipairs(deliveries_of(event)) do
    if call('HGET', key_of_delivery(id), 'state') == 'pending' then
      end_delivery(id, 'refused', reason, now)
      waited = true
    end
  end
  erase(event)
  return waited
end

-- Stores an event under the first id that no other event of its name has while the ledger lists it.
local function store(a, wanted, now, ledger)
  local event = call('INCR', P .. 'numbers')
  local id = wanted or a.fallback
  local try = wanted and 1 or 2
  local name = P .. 'name:' .. #a.name .. ':' .. a.name .. ':'
  while not call('SET', name .. id, event, 'NX', 'PX', ledger) do
    id = try == 1 and a.fallback or (a.fallback .. '-' .. try)
    try = try + 1
  end
  local only = a.only and '1' or '0'
  local ids, known = {}, {}
  for _, pixel in ipairs(a.pixels) do
    if not known[pixel] then
      known[pixel] = true
      local d = call('INCR', P .. 'numbers')
      call('HSET', key_of_delivery(d), 'event', event, 'pixel', pixel, 'only', only, 'name', a.name, 'id', id,
        'time', a.time, 'state', 'pending', 'attempts', 0, 'due', now, 'reason', '', 'code', '', 'subcode', '',
        'trace', '')
      call('ZADD', P .. 'all', a.time, member(d))
      call('SADD', P .. 'pixels', pixel)
      into_line(d, now)
      table.insert(ids, number(d))
    end
  end
  call('HSET', key_of_event(event), 'time', a.time, 'body', a.body, 'ties', table.concat(a.ties, ' '),
    'deliveries', table.concat(ids, ' '))
  call('ZADD', P .. 'events', a.time, member(event))
  call('ZADD', P .. 'bodies', a.time, member(event))
  for _, tie in ipairs(a.ties) do call('SADD', P .. 'tie:' .. tie, number(event)) end
  return id
end

-- "Seen before?" and the event. Answers { 'new' or 'duplicate', event_id, '1' when the supplied id was taken }.
local function admit(a, now, seen_for, ledger)
  local seen = call('GET', P .. 'seen:' .. a.print)
  if seen then return { 'duplicate', seen, '0' } end
  local wanted = nil
  local owners = a.supplied and (P .. 'supplied:' .. a.supplied)
  if owners then
    local mine = call('HGET', owners, a.contact)
    if mine then
      local at, first = string.match(mine, '^(%d+):(.*)$')
      if tonumber(at) > now - seen_for then
        remember(a.print, first, seen_for)
        return { 'duplicate', first, '0' }
      end
    end
    if call('EXISTS', owners) == 0 then wanted = a.supplied end
  end
  local id = store(a, wanted, now, ledger)
  remember(a.print, id, seen_for)
  if owners then
    call('HSET', owners, a.contact, number(now) .. ':' .. id)
    call('PEXPIRE', owners, seen_for)
  end
  return { 'new', id, (a.supplied and a.supplied ~= id) and '1' or '0' }
end

local function drop_held(print)
  local key = P .. 'held:' .. print
  local held = call('HMGET', key, 'browser', 'ties')
  if held[1] then
    call('SREM', P .. 'held-of:' .. held[1], print)
    for tie in string.gmatch(held[2], '%S+') do call('SREM', P .. 'held-tie:' .. tie, print) end
  end
  call('DEL', key)
  call('ZREM', P .. 'held', print)
end
