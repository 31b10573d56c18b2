-- ARGV: now, how many at once, how long Meta takes an event (ms), how long the ledger is kept (ms), how long what is held
-- may be overdue (ms), how long pages are kept (ms).
local now, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = server_millis()
local too_old = math.floor((now - tonumber(ARGV[3])) / 1000)
for _, event in ipairs(call('ZRANGEBYSCORE', P .. 'bodies', '-inf', '(' .. too_old, 'LIMIT', 0, most)) do
  local waits = false
  for _, id in ipairs(deliveries_of(event)) do
    local d = call('HMGET', key_of_delivery(id), 'state', 'pixel')
    if d[1] == 'pending' then
      -- On its way, and not with somebody who is dead.
      local lease = call('ZSCORE', set_of('leased', d[2]), member(id))
      if lease and tonumber(lease) > clock then
        waits = true
      else
        -- Of a pixel that is no longer configured: nobody else gives them up.
        end_delivery(id, 'dead', 'expired', now)
      end
    end
  end
  if not waits then erase(event) end
end
for _, state in ipairs({ 'delivered', 'refused', 'dead' }) do
  local key = P .. 'settled:' .. state
  for _, id in ipairs(call('ZRANGEBYSCORE', key, '-inf', '(' .. (now - tonumber(ARGV[4])), 'LIMIT', 0, most)) do
    call('DEL', key_of_delivery(id))
    call('ZREM', P .. 'all', id)
    call('ZREM', key, id)
  end
end
local ledger = math.floor((now - tonumber(ARGV[4])) / 1000)
for _, event in ipairs(call('ZRANGEBYSCORE', P .. 'events', '-inf', '(' .. ledger, 'LIMIT', 0, most)) do
  if #deliveries_of(event) == 0 then
    erase(event)
    call('DEL', key_of_event(event))
    call('ZREM', P .. 'events', event)
  end
end
-- Nobody was there to end its wait: holding was switched off, or the sidecar was.
for _, print in ipairs(call('ZRANGEBYSCORE', P .. 'held', '-inf', '(' .. (now - tonumber(ARGV[5])), 'LIMIT', 0, most)) do
  drop_held(print)
end
for _, page in ipairs(call('ZRANGEBYSCORE', P .. 'pages', '-inf', '(' .. (now - tonumber(ARGV[6])), 'LIMIT', 0, most)) do
  call('ZREM', P .. 'pages', page)
  call('HDEL', P .. 'page', page)
end
return 0
