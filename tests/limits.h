// SPDX-License-Identifier: GPL-2.0-or-later
// How long a test waits for what has to come. On a loaded machine everything takes longer, and that
// is no failure; so nothing is expected within a time that an idle machine needs. scripts/limits.sh
// is the same for scripts.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

namespace crosswalk::test {

// How many times longer than on an idle machine: how many want each CPU, now or in the last minute,
// and at least 1.
inline double load_factor() {
  double average = 0;
  unsigned running = 0;
  if (std::FILE* const file = std::fopen("/proc/loadavg", "re")) {
    if (std::fscanf(file, "%lf %*f %*f %u", &average, &running) < 1) average = 0;
    std::fclose(file);
  }
  return std::max(1.0, std::max<double>(average, running) / std::max(1u, std::thread::hardware_concurrency()));
}

// For what ends at once unless something is broken: only a failure takes so long.
inline std::chrono::milliseconds patience() {
  return std::chrono::milliseconds(static_cast<int64_t>(30e3 * load_factor()));
}

// Waits until it is so; false when it does not become so.
template <class Condition>
bool eventually(Condition&& condition, std::chrono::microseconds pause = std::chrono::microseconds(200)) {
  const auto end = std::chrono::steady_clock::now() + patience();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return condition();
    std::this_thread::sleep_for(pause);
  }
  return true;
}

}  // namespace crosswalk::test
