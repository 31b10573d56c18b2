-- ARGV: now, how many events, the events, then the fingerprints of what is held.
local now, events = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 3, 2 + events do end_event(ARGV[i], 'erased', now) end
for i = 3 + events, #ARGV do drop_held(ARGV[i]) end
return 0
