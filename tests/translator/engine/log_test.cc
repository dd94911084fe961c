// SPDX-License-Identifier: GPL-2.0-or-later
// -d: each item says what it is for, and nothing else does.
#include "translator/engine/log.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

std::string log_of(uint32_t items) {
  char* text = nullptr;
  size_t bytes = 0;
  FILE* const file = open_memstream(&text, &bytes);
  {
    GuestConfig config;
    config.log = {items, file, [](uint32_t va) { return va == kCode + 4 ? "the_access" : std::string(); }};
    Guest g(config);
    // MOV R1, #0; LDR R0, [R1], which faults
    g.words(kCode, {0xe3a01000, 0xe5910000, kHvc});
    g.run(kCode);
    EXPECT_EQ(g.stopped_at(), Exception::DataAbort);
  }
  std::fclose(file);
  std::string result(text, bytes);
  std::free(text);
  return result;
}

TEST(Log, EachItemHasItsOutput) {
  const std::map<std::string, std::vector<std::string>> expected = {
      {"in_asm", {"IN: \n0x40040000:  mov      r1, #0\n", "ldr      r0, [r1]\n"}},
      {"op", {"OP:\n"}},
      {"out_asm", {"OUT: [size=", "mov"}},
      {"int",
       {"Taking exception 4 [Data Abort] on CPU 0\n", "...from PC 0x40040004 (the_access), mode svc, SPSR 0x",
        "...with DFSR 0x5 DFAR 0x00000000: translation fault, first level, read\n",
        "...to PC 0x40000010, mode abt, LR 0x4004000c\n"}},
      {"exec", {"Trace 0: 40040000\n"}},
      {"cpu", {"R00=00000000 R01=", "R15=40040000\nPSR="}},
  };
  for (const auto& [item, parts] : expected) {
    const std::string text = log_of(engine::parse_log_items(item).items);
    for (const std::string& part : parts)
      EXPECT_NE(text.find(part), std::string::npos) << item << ": '" << part << "' is not in\n" << text;
    for (const auto& [other, other_parts] : expected) {
      if (other == item) continue;
      EXPECT_EQ(text.find(other_parts[0]), std::string::npos) << item << " prints what " << other << " is for";
    }
  }
}

TEST(Log, UnknownItemsAreNamed) {
  EXPECT_EQ(engine::parse_log_items("int,nonsense").items, 0u);
  EXPECT_EQ(engine::parse_log_items("int,nonsense").unknown, "nonsense");
  EXPECT_EQ(engine::parse_log_items("int,cpu").items, uint32_t{engine::kLogInt | engine::kLogCpu});
}

}  // namespace
}  // namespace crosswalk::test
