-- SPDX-License-Identifier: MIT
-- Telemetry of a few sensors: each round is packed as JSON, sent through a
-- queue, parsed again and averaged. Strings of every length, short-lived tables.

local random_state = 12345
local function random(n)
  random_state = (random_state * 1103515245 + 12345) % 2147483648
  return random_state // 65536 % n
end

local function encode(value)
  if type(value) == "table" then
    local parts = {}
    if #value > 0 then
      for _, item in ipairs(value) do parts[#parts + 1] = encode(item) end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = key end
    table.sort(keys)
    for _, key in ipairs(keys) do parts[#parts + 1] = encode(key) .. ":" .. encode(value[key]) end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif type(value) == "string" then
    return '"' .. value:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
  end
  return tostring(value)
end

local decode

local function decode_string(text, at)
  local stop = text:find('"', at + 1, true)
  local raw = text:sub(at + 1, stop - 1)
  return raw:gsub("\\u(%x%x%x%x)", function(hex) return string.char(tonumber(hex, 16)) end), stop + 1
end

local function decode_members(text, at, close, one)
  at = at + 1
  while text:sub(at, at) ~= close do
    at = one(at)
    if text:sub(at, at) == "," then at = at + 1 end
  end
  return at + 1
end

function decode(text, at)
  local first = text:sub(at, at)
  local result = {}
  if first == "{" then
    at = decode_members(text, at, "}", function(place)
      local key, value
      key, place = decode_string(text, place)
      value, place = decode(text, place + 1)
      result[key] = value
      return place
    end)
    return result, at
  elseif first == "[" then
    at = decode_members(text, at, "]", function(place)
      local value
      value, place = decode(text, place)
      result[#result + 1] = value
      return place
    end)
    return result, at
  elseif first == '"' then
    return decode_string(text, at)
  end
  local number = text:match("^[-%w.]+", at)
  if number == "true" or number == "false" then return number == "true", at + #number end
  return tonumber(number), at + #number
end

local function measure(round)
  local readings = {}
  for sensor = 1, 3 + random(6) do
    readings[sensor] = {
      name = "sensor/" .. sensor,
      celsius = (2000 + random(1000)) / 100,
      ok = random(20) > 0,
      note = ("x"):rep(random(10) == 0 and random(200) or random(8)),
    }
  end
  return {round = round, station = "north", readings = readings}
end

local queue, sums = {}, {}
for round = 1, 150 do
  queue[#queue + 1] = encode(measure(round))
  if #queue > 6 + random(12) then
    for _ = 1, random(#queue) do
      local message = decode(table.remove(queue, 1), 1)
      for _, reading in ipairs(message.readings) do
        local sum = sums[reading.name] or {count = 0, total = 0, notes = {}}
        sum.count, sum.total = sum.count + 1, sum.total + reading.celsius
        sum.notes[sum.count % 5 + 1] = reading.note
        sums[reading.name] = sum
      end
    end
  end
end
for sensor = 1, 8 do
  local sum = sums["sensor/" .. sensor]
  if sum then print(("sensor %d: %d readings, %.2f degrees"):format(sensor, sum.count, sum.total / sum.count)) end
end
