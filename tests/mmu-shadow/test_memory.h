// SPDX-License-Identifier: GPL-2.0-or-later
// Guest RAM in a memfd, and the walker's view of it, for the tests of mmu-shadow/.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "mmu-shadow/mmu.h"
#include "mmu-shadow/walker/walker.h"

namespace crosswalk::mmu::test {

class TestMemory {
 public:
  explicit TestMemory(uint64_t size, uint64_t base = 0x40000000) {
    ram.base = base;
    ram.size = size;
    ram.fd = memfd_create("crosswalk-test-ram", 0);
    if (ram.fd < 0 || ftruncate(ram.fd, static_cast<off_t>(size)) != 0) fail("memfd");
    void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd, 0);
    if (p == MAP_FAILED) fail("mmap");
    ram.host = static_cast<uint8_t*>(p);
  }
  ~TestMemory() {
    munmap(ram.host, ram.size);
    close(ram.fd);
  }
  TestMemory(const TestMemory&) = delete;
  TestMemory& operator=(const TestMemory&) = delete;

  void write32(uint64_t pa, uint32_t v) { std::memcpy(ram.at(pa), &v, 4); }
  void write64(uint64_t pa, uint64_t v) { std::memcpy(ram.at(pa), &v, 8); }
  uint32_t read32(uint64_t pa) const {
    uint32_t v;
    std::memcpy(&v, ram.at(pa), 4);
    return v;
  }

  static int read(void* context, uint64_t pa, unsigned bytes, uint64_t* value) {
    const GuestRam& ram = *static_cast<const GuestRam*>(context);
    if (!ram.contains(pa, bytes)) return 1;
    *value = 0;
    std::memcpy(value, ram.at(pa), bytes);
    return 0;
  }
  static cw_result walk(const GuestRam& ram, const cw_regime& regime, uint32_t va, unsigned kind, bool privileged) {
    cw_result r;
    cw_walk(&regime, va, kind, privileged, read, const_cast<GuestRam*>(&ram), &r);
    return r;
  }
  cw_result walk(const cw_regime& regime, uint32_t va, unsigned kind, bool privileged) const {
    return walk(ram, regime, va, kind, privileged);
  }

  GuestRam ram;

 private:
  [[noreturn]] static void fail(const char* what) {
    std::perror(what);
    std::abort();
  }
};

// Precondition: the RAM is in a memfd.
inline std::unique_ptr<WindowBackend> make_mmap(const GuestRam& ram, uint32_t max_maps = 0, HostMap map = nullptr) {
  return std::move(*make_mmap_backend(ram, max_maps, map));
}

// CROSSWALK_SEED, or a fresh one; printed, so that a failure can be repeated.
inline uint64_t test_seed() {
  uint64_t seed = std::random_device{}();
  if (const char* s = std::getenv("CROSSWALK_SEED")) seed = std::strtoull(s, nullptr, 0);
  std::printf("CROSSWALK_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace crosswalk::mmu::test
