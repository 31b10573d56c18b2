-- ARGV: now, how long submissions are remembered, how long ids are, then one JSON text per submission.
local now, answers = tonumber(ARGV[1]), {}
for i = 4, #ARGV do
  table.insert(answers, admit(cjson.decode(ARGV[i]), now, ARGV[2], ARGV[3]))
end
return answers
