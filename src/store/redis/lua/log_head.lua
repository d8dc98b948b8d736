-- What is known of a log, which begins with its first use. Another run of Redis may have lost what the one before was
-- told last: that is another epoch.
local entries, head = KEYS[1], KEYS[2]
local run, born = ARGV[1], ARGV[2]

local function place(id)
    local millis, count = string.match(id, '(%d+)-(%d+)')
    return tonumber(millis), tonumber(count)
end

local state = redis.call('HMGET', head, 'epoch', 'run', 'began', 'trimmed', 'last')
local epoch, began, trimmed, last = state[1], state[3] or '0-0', state[4] or '0-0', state[5] or '0-0'
if state[2] ~= run then
    epoch, began = born, last
    redis.call('HSET', head, 'epoch', epoch, 'run', run, 'began', began)
end
if trimmed ~= last and redis.call('EXISTS', entries) == 0 then
    trimmed = last
    redis.call('HSET', head, 'trimmed', trimmed)
end
redis.call('PEXPIRE', head, 34560000000)
