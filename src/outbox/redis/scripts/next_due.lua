-- ARGV: now, pixel, owner, longest wait. Answers Unix milliseconds by the caller's clock, or nothing.
local now, pixel = tonumber(ARGV[1]), ARGV[2]
if call('ZCARD', set_of('ready', pixel)) + call('ZCARD', set_of('bare', pixel)) > 0 then return number(now) end
-- What seems to be put off for longer than anything is was so before the clock was set back.
if call('ZCOUNT', set_of('later', pixel), '(' .. (now + tonumber(ARGV[4])), '+inf') > 0 then return number(now) end
local first = call('ZRANGE', set_of('later', pixel), 0, 0, 'WITHSCORES')
local soonest = tonumber(first[2])
-- Somebody else's may have to be taken over.
local clock = server_millis()
local leased = call('ZRANGE', set_of('leased', pixel), 0, 999, 'WITHSCORES')
for i = 1, #leased, 2 do
  if call('HGET', key_of_delivery(leased[i]), 'owner') ~= ARGV[3] then
    local over = now + math.max(0, tonumber(leased[i + 1]) - clock)
    if not soonest or over < soonest then soonest = over end
    break
  end
end
return soonest and number(soonest)
