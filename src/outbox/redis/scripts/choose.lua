-- ARGV: now, how long submissions are remembered, how long ids are, 'granted' 'denied' or 'expired', browser, how many at
-- once, then a random fingerprint and a random id for each: nothing that derives from contact data goes into what is left
-- of a submission that was denied.
local now, how, most = tonumber(ARGV[1]), ARGV[4], tonumber(ARGV[6])
local prints = {}
if how == 'expired' then
  prints = call('ZRANGEBYSCORE', P .. 'held', '-inf', now, 'LIMIT', 0, most)
else
  local all = call('SMEMBERS', P .. 'held-of:' .. ARGV[5])
  table.sort(all)
  for _, print in ipairs(all) do
    if #prints < most and tonumber(call('HGET', P .. 'held:' .. print, 'until')) > now then table.insert(prints, print) end
  end
end
local answers = {}
for i, print in ipairs(prints) do
  local h = call('HMGET', P .. 'held:' .. print, 'host', 'path', 'submission', 'bare')
  local a = cjson.decode(h[3])
  drop_held(print)
  local answer = { print, h[1], h[2], 'nothing', '', '0' }
  if how ~= 'granted' then
    if h[4] == '' then
      a = nil
    else
      a.body, a.only, a.supplied, a.ties = h[4], true, nil, {}
      a.print, a.fallback = ARGV[5 + 2 * i], ARGV[6 + 2 * i]
    end
  end
  if a then
    local admitted = admit(a, now, ARGV[2], ARGV[3])
    answer[4], answer[5], answer[6] = admitted[1], admitted[2], admitted[3]
  end
  table.insert(answers, answer)
end
return answers
