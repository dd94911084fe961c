// SPDX-License-Identifier: GPL-2.0-or-later
// Which instructions are semihosting traps, and for whom.
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Semihosting);

constexpr uint32_t kUserMode = 0x10, kSupervisorMode = 0x13;

struct Trap {
  const char* name;
  bool thumb;
  uint32_t word;
  bool traps;                 // for privileged code
  Exception architecturally;  // what it does otherwise
};
constexpr Trap kTraps[] = {
    {"A32 SVC 0x123456", false, 0xef123456, true, Exception::SupervisorCall},
    {"A32 SVC 0xab", false, 0xef0000ab, false, Exception::SupervisorCall},
    {"T32 SVC 0xab", true, 0xdfab, true, Exception::SupervisorCall},
    {"T32 SVC 0x56", true, 0xdf56, false, Exception::SupervisorCall},
    {"A32 HLT 0xf000", false, 0xe10f0070, true, Exception::Undefined},
    {"A32 HLT 0x003c", false, 0xe100037c, false, Exception::Undefined},
    {"T32 HLT 0x3c", true, 0xbabc, true, Exception::Undefined},
    {"T32 HLT 0x00", true, 0xba80, false, Exception::Undefined},
    {"A32 BKPT 0x00ab", false, 0xe1200a7b, false, Exception::PrefetchAbort},
    {"T32 BKPT 0xab", true, 0xbeab, false, Exception::PrefetchAbort},
};

class TrapRun {
 public:
  // The instruction, and what stops the run behind it: UDF for both.
  TrapRun(Guest& guest, const Trap& trap, uint32_t mode, bool offered) : guest_(guest) {
    if (trap.thumb)
      guest.halves(kCode, {static_cast<uint16_t>(trap.word), 0xde01});
    else
      guest.words(kCode, {trap.word, 0xe7f000f1});
    guest.offers_semihosting = offered;
    guest.cpu.mode = static_cast<uint8_t>(mode);
    guest.cpu.r[0] = 7;
    guest.run(kCode | (trap.thumb ? 1 : 0));
    next_ = kCode + (trap.thumb ? 2 : 4);
  }
  bool trapped() const {
    return guest_.semihosting_calls == 1 && guest_.cpu.r[0] == 1007 && guest_.stopped_at() == Exception::Undefined &&
           guest_.cpu.r[14] == next_ + (next_ == kCode + 2 ? 2 : 4);
  }
  bool took(Exception exception) const {
    if (guest_.semihosting_calls != 0 || guest_.cpu.r[0] != 7 || guest_.stopped_at() != exception) return false;
    // A Prefetch Abort's LR is four behind the instruction, that of the others is the next
    // instruction.
    return guest_.cpu.r[14] == (exception == Exception::PrefetchAbort ? kCode + 4 : next_);
  }

 private:
  Guest& guest_;
  uint32_t next_;
};

TEST_P(Semihosting, PrivilegedCodeTraps) {
  for (const Trap& trap : kTraps) {
    SCOPED_TRACE(trap.name);
    auto g = make_guest();
    const TrapRun run(*g, trap, kSupervisorMode, true);
    EXPECT_TRUE(trap.traps ? run.trapped() : run.took(trap.architecturally));
  }
}

TEST_P(Semihosting, UserModeNeverReachesIt) {
  for (const Trap& trap : kTraps) {
    SCOPED_TRACE(trap.name);
    auto g = make_guest();
    EXPECT_TRUE(TrapRun(*g, trap, kUserMode, true).took(trap.architecturally));
  }
}

TEST_P(Semihosting, TrapsMeanWhatTheManualSaysWhenItIsOff) {
  for (const Trap& trap : kTraps) {
    SCOPED_TRACE(trap.name);
    auto g = make_guest();
    EXPECT_TRUE(TrapRun(*g, trap, kSupervisorMode, false).took(trap.architecturally));
  }
}

// A trap whose condition fails is none.
TEST_P(Semihosting, TrapsHeedTheirCondition) {
  for (const uint32_t word : {0x1f123456u /* SVCNE */, 0x110f0070u /* HLTNE */}) {
    auto g = make_guest();
    g->offers_semihosting = true;
    g->words(kCode, {0xe1500000 /* CMP R0, R0 */, word, kHvc});
    g->run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->semihosting_calls, 0u);
  }
}

}  // namespace
}  // namespace crosswalk::test
