-- SPDX-License-Identifier: MIT
-- A building controller in simulated time: every room is a coroutine with an
-- object of its own, timers are closures in a heap, an event log of bounded
-- length is kept, and now and then a room is taken away and another comes.

local random_state = 99
local function random(n)
  random_state = (random_state * 1103515245 + 12345) % 2147483648
  return random_state // 65536 % n
end

-- A binary heap of {time, action}.
local timers = {}

local function after(now, delay, action)
  local timer = {time = now + delay, action = action}
  local at = #timers + 1
  timers[at] = timer
  while at > 1 and timers[at // 2].time > timer.time do
    timers[at], timers[at // 2] = timers[at // 2], timer
    at = at // 2
  end
end

local function next_timer()
  local first, last = timers[1], table.remove(timers)
  if #timers == 0 then return first end
  local at = 1
  timers[1] = last
  while true do
    local child = 2 * at
    if child > #timers then break end
    if child < #timers and timers[child + 1].time < timers[child].time then child = child + 1 end
    if timers[child].time >= last.time then break end
    timers[at], timers[child] = timers[child], last
    at = child
  end
  return first
end

local log = {}
local function note(now, text, ...)
  log[#log + 1] = ("%06d "):format(now) .. text:format(...)
  if #log > 60 then table.remove(log, 1) end
end

local Room = {}
Room.__index = Room

function Room.new(name)
  return setmetatable({name = name, degrees = 15 + random(8), wanted = 20, open = false, history = {}}, Room)
end

function Room:step()
  self.degrees = self.degrees + (self.open and 0.4 or -0.2) + (random(11) - 5) / 50
  self.history[#self.history + 1] = self.degrees
  if #self.history > 16 + random(32) then self.history = {self.degrees} end
end

function Room:run()
  while not self.gone do
    local now = coroutine.yield(20 + random(40))
    self:step()
    local open = self.degrees < self.wanted
    if open ~= self.open then
      self.open = open
      note(now, "%s: valve %s at %.1f degrees", self.name, open and "opens" or "closes", self.degrees)
    end
  end
end

local function start(room, now)
  local body = coroutine.create(room.run)
  local function wake(time)
    local alive, delay = coroutine.resume(body, time == now and room or time)
    if alive and delay and coroutine.status(body) ~= "dead" then
      after(time, delay, wake)
    end
  end
  wake(now)
end

local rooms = {}
for i = 1, 12 do
  rooms[i] = Room.new("room " .. i)
  start(rooms[i], 0)
end

local function exchange(now)
  local i = 1 + random(#rooms)
  note(now, "%s is taken out of service", rooms[i].name)
  rooms[i].gone = true
  rooms[i] = Room.new("room " .. now)
  start(rooms[i], now)
  after(now, 100 + random(300), exchange)
end
after(0, 150, exchange)

local now = 0
while now < 20000 do
  local timer = next_timer()
  now = timer.time
  timer.action(now)
end
print(#log, log[#log])
