-- What all scripts begin with. Times are microseconds of the one clock that all replicas share.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function number(value)
    return tonumber(value or 0) or 0
end

-- Lua's own conversion would round a time to fourteen digits.
local function text(value)
    return string.format('%.0f', value)
end

-- What is over is forgotten in the end, but not while anything could still ask for it.
local function keep(key, latest)
    redis.call('PEXPIRE', key, text(math.ceil(math.max(latest - now, 0) / 1000) + 600000))
end
