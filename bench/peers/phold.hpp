// What the C++ peers share: the draws of bench/phold.mjs, the checksum that proves the same work, and the clock.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

struct Phold {
  uint32_t mask;
  uint64_t warm_up;
  uint64_t measured;
  uint32_t state = 0x2545f491u;
  uint32_t checksum = 0;
  uint64_t count = 0;
  std::chrono::steady_clock::time_point started;
  double seconds = 0;

  Phold(int argc, char** argv) {
    if (argc < 4) {
      std::fprintf(stderr, "usage: %s PENDING WARM-UP EVENTS\n", argv[0]);
      std::exit(2);
    }
    mask = static_cast<uint32_t>(std::strtoul(argv[1], nullptr, 10)) - 1;
    warm_up = std::strtoull(argv[2], nullptr, 10);
    measured = std::strtoull(argv[3], nullptr, 10);
  }

  uint32_t pending() const { return mask + 1; }

  uint32_t next() {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
  }

  /** In ticks of 1/8 ns. */
  uint32_t increment() {
    const uint32_t x = next() | 1u;
    const int zeros = __builtin_clz(x);
    const uint32_t fraction = zeros >= 31 ? 0 : (x << (zeros + 1)) >> 12;
    return (static_cast<uint32_t>(zeros) + 1) * (1u << 20) - fraction;
  }

  uint32_t target(uint32_t process) {
    const uint32_t draw = next();
    const uint32_t to = (draw & 3u) == 0 ? process : (draw >> 2) & mask;
    checksum = checksum * 31u + to;
    return to;
  }

  /** Called for each event before anything else; true when the run is over. */
  bool over() {
    if (count == warm_up) started = std::chrono::steady_clock::now();
    if (count == warm_up + measured) {
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      return true;
    }
    count++;
    return false;
  }

  void report() const { std::printf("{\"seconds\": %.9f, \"checksum\": %u}\n", seconds, checksum); }
};
