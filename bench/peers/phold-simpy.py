"""PHOLD in SimPy 2: each pending event is a process that holds for a random increment. Draw for draw that of bench/phold.mjs."""
import json
import sys
import time

from SimPy.Simulation import Process, Simulation, hold

M32 = 0xFFFFFFFF
PENDING, WARM_UP, MEASURED = (int(word) for word in sys.argv[1:4])
MASK = PENDING - 1

state = 0x2545F491
checksum = 0
count = 0
started = 0.0
seconds = 0.0


def draw():
    global state
    x = state
    x = (x ^ (x << 13)) & M32
    x ^= x >> 17
    x = (x ^ (x << 5)) & M32
    state = x
    return x


def increment():
    x = draw() | 1
    zeros = 32 - x.bit_length()
    return ((zeros + 1) << 20) - (((x << (zeros + 1)) & M32) >> 12)


def over():
    global count, started, seconds
    if count == WARM_UP:
        started = time.perf_counter()
    if count == WARM_UP + MEASURED:
        seconds = time.perf_counter() - started
        return True
    count += 1
    return False


class Hop(Process):
    def run(self, process, first):
        global checksum
        ticks = first
        while True:
            yield hold, self, ticks
            if over():
                self.sim.stopSimulation()
                continue
            x = draw()
            if x & 3:
                process = (x >> 2) & MASK
            checksum = (checksum * 31 + process) & M32
            ticks = increment()


sim = Simulation()
sim.initialize()
for i in range(PENDING):
    hop = Hop(name="hop", sim=sim)
    sim.activate(hop, hop.run(i, increment()))
sim.simulate(until=sys.maxsize)
print(json.dumps({"seconds": seconds, "checksum": checksum}))
