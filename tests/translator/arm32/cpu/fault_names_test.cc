// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/cpu/fault_names.h"

#include <gtest/gtest.h>

#include "tests/translator/arm32/cpu/test_context.h"
#include "translator/arm32/cpu/exception_observer.h"
#include "translator/arm32/cpu/psr.h"

namespace crosswalk::arm {
namespace {

// ARM DDI 0406C, tables B3-23 and B3-24; B4.1.51 and B4.1.96 for the fields.
TEST(FaultNames, StatusInWords) {
  const struct {
    uint32_t fsr;
    bool data;
    const char* words;
  } cases[] = {
      {0x005, true, "translation fault, first level, read"},
      {0x817, true, "translation fault, second level, write"},
      {0x03f, true, "permission fault, second level, read, domain 3"},
      {0x82b, true, "domain fault, second level, write, domain 2"},
      {0x00d, false, "permission fault, first level"},
      {0x002, false, "debug event"},
      {0x008, true, "synchronous external abort, read"},
      {0x1008, true, "synchronous external abort, read, ExT"},
      {0x406, true, "asynchronous external abort, read"},
      {0x001, true, "alignment fault, read"},
      {0x007 | 1u << 9, false, "translation fault, third level"},
      {0xa0f, true, "permission fault, third level, write"},
      {0x221, true, "alignment fault, read"},
      {0x215, false, "synchronous external abort on a table walk, first level"},
      {0x000, false, "reserved status"},
      {0x23f, false, "reserved status"},
  };
  for (const auto& c : cases) EXPECT_EQ(describe_fault_status(c.fsr, c.data), c.words) << std::hex << c.fsr;
}

struct Observer final : ExceptionObserver {
  void exception_taken(const CpuState& cpu, Exception kind, uint32_t pc, uint32_t psr) override {
    seen.push_back({kind, pc, psr, cpu.r[15], cpu.mode});
  }
  struct Seen {
    Exception kind;
    uint32_t pc, psr, vector;
    uint8_t mode;
  };
  std::vector<Seen> seen;
};

TEST(ExceptionObserver, SeesEachExceptionAsItsHandlerFindsIt) {
  test::TestCpu t;
  Observer observer;
  t.cpu.exception_observer = &observer;
  t.cpu.cp15.vbar = 0x1000;
  ASSERT_TRUE(set_cpsr(t.cpu, 0x10));
  data_abort(t.cpu, 0x8000, 5, 0x1234);
  take_exception(t.cpu, Exception::Irq, 0x1010);
  take_exception(t.cpu, Exception::Reset, 0x1018);
  ASSERT_EQ(observer.seen.size(), 3u);
  EXPECT_EQ(observer.seen[0].kind, Exception::DataAbort);
  EXPECT_EQ(observer.seen[0].pc, 0x8000u);
  EXPECT_EQ(observer.seen[0].psr, 0x10u);
  EXPECT_EQ(observer.seen[0].vector, 0x1010u);
  EXPECT_EQ(observer.seen[0].mode, static_cast<uint8_t>(Mode::Abort));
  EXPECT_EQ(observer.seen[1].psr & 0x1f, static_cast<uint32_t>(Mode::Abort));
  EXPECT_EQ(observer.seen[2].kind, Exception::Reset);
  EXPECT_EQ(observer.seen[2].pc, 0x1018u);
}

}  // namespace
}  // namespace crosswalk::arm
