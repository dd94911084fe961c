// SPDX-License-Identifier: GPL-2.0-or-later
// The two views of code's memory: what is written in one is executed in the other, and no page of
// the process is writable and executable at once.
#include "translator/engine/code_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace crosswalk::engine {
namespace {

// The permissions in /proc/self/maps, such as "r-xs"; empty where nothing is mapped.
std::string permissions_of(const void* address) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    unsigned long begin = 0, end = 0;
    char dash;
    std::string permissions;
    words >> std::hex >> begin >> dash >> end >> permissions;
    const auto at = reinterpret_cast<unsigned long>(address);
    if (at >= begin && at < end) return permissions;
  }
  return "";
}

TEST(CodeMemory, OneIsWrittenAndTheOtherExecuted) {
  const CodeMemory memory = std::move(*CodeMemory::create(4 << 20));
  // mov eax, edi; add eax, 5; ret
  constexpr uint8_t kCode[] = {0x89, 0xf8, 0x83, 0xc0, 0x05, 0xc3};
  std::memcpy(memory.writable(memory.base()), kCode, sizeof kCode);
  const auto function = reinterpret_cast<int (*)(int)>(const_cast<uint8_t*>(memory.base()));
  EXPECT_EQ(function(37), 42);
  memory.writable(memory.base())[4] = 6;  // as links are patched
  EXPECT_EQ(function(37), 43);
  EXPECT_EQ(memory.executable(memory.writable(memory.base())), memory.base());
}

TEST(CodeMemory, NeitherCanBeBoth) {
  constexpr size_t kBytes = (4 << 20) + 4096;  // not a multiple of a large page
  const CodeMemory memory = std::move(*CodeMemory::create(kBytes));
  for (const size_t offset : {size_t{0}, kBytes - 1}) {
    EXPECT_EQ(permissions_of(memory.base() + offset), "r-xs");
    EXPECT_EQ(permissions_of(memory.writable(memory.base() + offset)), "rw-s");
  }
  EXPECT_TRUE(memory.contains(memory.base() + kBytes - 1));
  EXPECT_FALSE(memory.contains(memory.writable(memory.base())));
}

TEST(CodeMemory, WhatDoesNotFitIsAnError) { EXPECT_FALSE(CodeMemory::create(size_t{1} << 47)); }

}  // namespace
}  // namespace crosswalk::engine
