-- ARGV: now, then deliveries.
local now, dropped = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  local key = key_of_delivery(ARGV[i])
  local event = call('HGET', key, 'event')
  if event then
    end_delivery(ARGV[i], 'refused', '', now)
    erase_unneeded(event)
    call('ZREM', P .. 'settled:refused', member(ARGV[i]))
    call('ZREM', P .. 'all', member(ARGV[i]))
    call('DEL', key)
    dropped = dropped + 1
  end
end
return dropped
