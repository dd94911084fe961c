// SPDX-License-Identifier: GPL-2.0-or-later
// The mmap backend alone: what it maps, and whether its count of host mappings is the kernel's.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <random>
#include <vector>

#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kRamSize = 16 << 20;

struct HostMapping {
  uint64_t start, end, offset;
  bool read, write;
};

std::vector<HostMapping> mappings(uint64_t base) {
  std::vector<HostMapping> all;
  FILE* f = std::fopen("/proc/self/maps", "r");
  char line[512];
  while (f && std::fgets(line, sizeof line, f)) {
    HostMapping m;
    char mode[5];
    if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64, &m.start, &m.end, mode, &m.offset) != 4) continue;
    m.read = mode[0] == 'r';
    m.write = mode[1] == 'w';
    if (m.end > base && m.start < base + kWindowSize) all.push_back(m);
  }
  if (f) std::fclose(f);
  return all;
}

TEST(MmapBackend, MapsWhatItSays) {
  const uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  TestMemory memory(kRamSize);
  const auto backend = make_mmap(memory.ram);
  const auto window = backend->create_window();
  ASSERT_NE(window, nullptr);
  const uint64_t base = window->base();
  EXPECT_EQ(base % (2 << 20), 0u);
  constexpr uint32_t kPages = 2048;  // of the window, in use; the model has the PA + writable, or 0
  const uint32_t first_va = 0x7ff00000;
  std::vector<uint64_t> model(kPages, 0);
  for (int step = 0; step < 3000; step++) {
    const uint32_t page = random() % kPages,
                   count = 1 + random() % std::min<uint32_t>(kPages - page, random() % 8 ? 16 : 600);
    if (random() % 3) {
      const uint64_t ram_page = random() % 4 ? (page + random() % 2 * 17) % 2048 : random() % 2048;
      const bool writable = random() % 2;
      ASSERT_TRUE(
          window->install(first_va + page * 4096, memory.ram.base + ram_page * 4096, uint64_t{count} * 4096, writable));
      for (uint32_t i = 0; i < count; i++) model[page + i] = (memory.ram.base + (ram_page + i) * 4096) | writable | 2;
    } else {
      window->remove(first_va + page * 4096, uint64_t{count} * 4096);
      for (uint32_t i = 0; i < count; i++) model[page + i] = 0;
    }
    if (step % 100 != 0) continue;
    window->commit();
    std::vector<uint64_t> host(kPages, 0);
    for (const HostMapping& m : mappings(base))
      if (m.read)
        for (uint64_t a = m.start; a < m.end; a += 4096) {
          const uint64_t p = (a - base - first_va) / 4096;
          ASSERT_LT(p, kPages);
          host[p] = (memory.ram.base + m.offset + a - m.start) | m.write | 2;
        }
    ASSERT_EQ(host, model) << "seed " << seed << " step " << step;
  }
}

TEST(MmapBackend, CountsMappingsAndStopsBeforeTheLimit) {
  TestMemory memory(kRamSize);
  const auto backend = make_mmap(memory.ram, 1000);
  auto window = backend->create_window();
  ASSERT_NE(window, nullptr);
  const uint64_t base = window->base();
  uint32_t installed = 0;
  while (installed < 5000 && window->install(installed * 8192, memory.ram.base + installed % 4096 * 4096, 4096, true))
    installed++;
  const size_t maps = mappings(base).size();
  EXPECT_LE(maps, 1000u);
  EXPECT_GE(maps, 990u);
  EXPECT_LT(installed, 510u);
  // Room again after removals; contiguous pages share one mapping.
  window->remove(0, kWindowSize);
  window->commit();
  for (uint32_t i = 0; i < 4096; i++)
    ASSERT_TRUE(window->install(i * 4096, memory.ram.base + i * 4096, 4096, true)) << i;
  EXPECT_LE(mappings(base).size(), 3u);
  window.reset();
  EXPECT_NE(backend->create_window(), nullptr);
}

TEST(MmapBackend, WindowsAreGuarded) {
  TestMemory memory(kRamSize);
  const auto backend = make_mmap(memory.ram);
  const auto a = backend->create_window(), b = backend->create_window();
  for (const auto* const window : {&a, &b}) {
    const uint64_t base = (*window)->base(), other = (window == &a ? b : a)->base();
    EXPECT_TRUE(other + kWindowSize + kWindowGuard <= base || other >= base + kWindowSize + kWindowGuard);
    (*window)->install(0, memory.ram.base, 4096, true);
    (*window)->install(0xfffff000, memory.ram.base + 0x1000, 4096, false);
    for (const HostMapping& m : mappings(base - kWindowGuard))
      if (m.start < base) {
        EXPECT_FALSE(m.read);
      }
    *reinterpret_cast<volatile uint32_t*>(base) = 7;
    EXPECT_EQ(memory.read32(memory.ram.base), 7u);
  }
}

}  // namespace
}  // namespace crosswalk::mmu::test
