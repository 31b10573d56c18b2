-- Answers the browsers that something waits for; of several submissions of one, it comes as often.
local browsers = {}
for _, print in ipairs(call('ZRANGE', P .. 'held', 0, -1)) do
  table.insert(browsers, call('HGET', P .. 'held:' .. print, 'browser'))
end
return browsers
