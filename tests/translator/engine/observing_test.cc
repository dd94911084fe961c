// SPDX-License-Identifier: GPL-2.0-or-later
// What the engine tells of a run: instruction counts, the timeline, and where translated code is.
#include <map>

#include "tests/translator/engine/guest.h"
#include "translator/base/trace.h"
#include "translator/engine/translation_listener.h"

namespace crosswalk::test {
namespace {

class Listener final : public engine::TranslationListener {
 public:
  void thunks_emitted(const x64::Thunks& thunks, const uint8_t* begin, size_t bytes) override {
    const auto* enter = reinterpret_cast<const uint8_t*>(thunks.enter);
    thunks_inside = enter >= begin && enter < begin + bytes && thunks.slow_access < begin + bytes;
  }
  void block_translated(const engine::Block& block, bool is_privileged) override {
    blocks[block.key.va] = block.code;
    privileged = is_privileged;
  }
  std::map<uint32_t, const uint8_t*> blocks;
  bool thunks_inside = false, privileged = false;
};

class Observing : public testing::TestWithParam<mmu::Mode> {
 protected:
  Guest& guest() {
    if (!guest_) {
      GuestConfig config;
      config.mode = GetParam();
      config.count = true;
      config.listener = &listener_;
      guest_ = std::make_unique<Guest>(config);
      guest_->cpu.trace = &ring_;
    }
    return *guest_;
  }
  std::map<trace::Kind, std::vector<trace::Event>> events() const {
    std::map<trace::Kind, std::vector<trace::Event>> result;
    for (size_t i = 0; i < ring_.size(); i++) result[ring_[i].kind].push_back(ring_[i]);
    return result;
  }
  Listener listener_;
  trace::Event storage_[256];
  trace::Ring ring_{storage_, 256};
  std::unique_ptr<Guest> guest_;
};
INSTANTIATE_TEST_SUITE_P(, Observing, testing::Values(mmu::Mode::SoftCall, mmu::Mode::Soft, mmu::Mode::Window),
                         [](const auto& info) {
                           return info.param == mmu::Mode::SoftCall ? "soft_call"
                                  : info.param == mmu::Mode::Soft   ? "soft"
                                                                    : "mmap";
                         });

constexpr uint32_t kLoopTurns = 1000;

TEST_P(Observing, InstructionsAndBlocksAreCounted) {
  Guest& g = guest();
  // MOV R0, #1000; loop: SUBS R0, R0, #1; BNE loop; HVC
  g.words(kCode, {0xe3a00ffa, 0xe2500001, 0x1afffffd, kHvc});
  g.run(kCode);
  EXPECT_EQ(g.cpu.r[0], 0u);
  EXPECT_EQ(g.cpu.instructions, 1 + 2 * kLoopTurns + 1);
  EXPECT_GE(g.cpu.blocks, kLoopTurns);
  EXPECT_LE(g.cpu.blocks, kLoopTurns + 3);
}

TEST_P(Observing, FlagsAndRegistersSurviveTheCounting) {
  Guest& g = guest();
  // CMP R0, R0; B over a word (a new block); MOVEQ R1, #7; HVC
  g.words(kCode, {0xe1500000, 0xea000000, 0, 0x03a01007, kHvc});
  g.run(kCode);
  EXPECT_EQ(g.cpu.r[1], 7u);
}

// A branch to the next instruction is one, too, and ends no block.
TEST_P(Observing, BranchesToTheNextInstruction) {
  Guest& g = guest();
  // MOV R0, #1000; loop: B next; next: SUBS R0, R0, #1; BNE loop; HVC
  g.words(kCode, {0xe3a00ffa, 0xeaffffff, 0xe2500001, 0x1afffffc, kHvc});
  g.run(kCode);
  EXPECT_EQ(g.cpu.r[0], 0u);
  EXPECT_EQ(g.cpu.instructions, 1 + 3 * kLoopTurns + 1);
  EXPECT_LE(g.cpu.blocks, kLoopTurns + 3);
}

TEST_P(Observing, TheListenerSeesCode) {
  Guest& g = guest();
  g.words(kCode, {kHvc});
  g.run(kCode);
  EXPECT_TRUE(listener_.thunks_inside);
  EXPECT_TRUE(listener_.privileged);
  ASSERT_EQ(listener_.blocks.count(kCode), 1u);
}

TEST_P(Observing, TheTimelineHasTranslationsFlushesAndExceptions) {
  Guest& g = guest();
  g.words(kCode, {0xe3a00000, kHvc});
  g.run(kCode);
  g.flush_tlb();
  // SVC; its vector returns.
  g.words(kVectors + 8, {0xe1b0f00e});
  g.words(kCode + 0x100, {0xef000000, kHvc});
  g.run(kCode + 0x100);
  const auto seen = events();
  ASSERT_GE(seen.count(trace::Kind::Translation), 1u);
  const trace::Event& first = seen.at(trace::Kind::Translation)[0];
  EXPECT_EQ(first.a, kCode);
  EXPECT_EQ(first.counts[0], 2u);
  EXPECT_EQ(first.counts[1], 8u);
  EXPECT_GT(first.counts[2], 0u);
  EXPECT_LT(first.start, first.end);
  ASSERT_EQ(seen.count(trace::Kind::Flush), 1u);
  EXPECT_EQ(seen.at(trace::Kind::Flush)[0].c, static_cast<uint32_t>(trace::FlushKind::All));
  ASSERT_EQ(seen.count(trace::Kind::Exception), 1u);
  EXPECT_EQ(seen.at(trace::Kind::Exception)[0].a, kCode + 0x100);
  EXPECT_EQ(seen.at(trace::Kind::Exception)[0].c, static_cast<uint32_t>(arm::Exception::SupervisorCall));
}

}  // namespace
}  // namespace crosswalk::test
