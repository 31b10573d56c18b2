-- What another store has seen and sent. ARGV: now, how long submissions are remembered, then for each: its fingerprint, its
-- event_id, the supplied id and the digest of its contact data (or two empty ones).
for i = 3, #ARGV, 4 do
  call('SET', P .. 'seen:' .. ARGV[i], ARGV[i + 1], 'NX', 'PX', ARGV[2])
  if ARGV[i + 2] ~= '' then
    local owners = P .. 'supplied:' .. ARGV[i + 2]
    call('HSETNX', owners, ARGV[i + 3], number(ARGV[1]) .. ':' .. ARGV[i + 1])
    call('PEXPIRE', owners, ARGV[2])
  end
end
return 0
