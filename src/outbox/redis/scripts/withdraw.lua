-- ARGV: now, ties.
local now, ended = tonumber(ARGV[1]), 0
for i = 2, #ARGV do
  for _, event in ipairs(call('SMEMBERS', P .. 'tie:' .. ARGV[i])) do
    if end_event(event, 'withdrawn', now) then ended = ended + 1 end
  end
  for _, print in ipairs(call('SMEMBERS', P .. 'held-tie:' .. ARGV[i])) do drop_held(print) end
end
return ended
