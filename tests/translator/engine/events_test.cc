// SPDX-License-Identifier: GPL-2.0-or-later
// WFE, SEV and WFI in translated code.
#include "translator/arm32/cpu/events.h"
#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(EventsOfACpu);

constexpr uint32_t kWfe = 0xe320f002, kSev = 0xe320f004;

TEST_P(EventsOfACpu, WfeWaitsUnlessThereWasAnEvent) {
  const auto guest = make_guest();
  Asm a(kCode);
  a.words = {mov_imm(0, 1), kWfe, add_imm(0, 0, 1), kWfe, add_imm(0, 0, 1), kSev, kWfe, add_imm(0, 0, 1), kHvc};
  guest->code(a, kCode);
  unsigned waits_before = 0;
  guest->on_wait_for_event = [&] {
    waits_before = guest->cpu.r[0];
    EXPECT_FALSE(arm::event_sent(guest->cpu));
  };
  guest->run(kCode);
  EXPECT_EQ(guest->cpu.r[0], 4u);
  EXPECT_EQ(guest->event_waits, 1u);  // the second; the first begins to watch, the third has an event
  EXPECT_EQ(waits_before, 2u);
  EXPECT_EQ(guest->events_sent, 1u);
}

TEST_P(EventsOfACpu, SevCallsNothingWhileNobodyWatches) {
  const auto guest = make_guest();
  Asm a(kCode);
  a.words = {kSev, kDsb, kSev, kHvc};
  guest->code(a, kCode);
  guest->run(kCode);
  EXPECT_EQ(guest->events_sent, 0u);
  guest->cpu.events->watchers = 2;
  guest->run(kCode);
  EXPECT_EQ(guest->events_sent, 2u);
  EXPECT_EQ(guest->cpu.events->generation, 2u);
}

// One that waits leaves the block within the IT block.
TEST_P(EventsOfACpu, WfeInAnItBlock) {
  const auto guest = make_guest();
  guest->write32(kCode, 0xbf202800);       // cmp r0, #0; wfe
  guest->write32(kCode + 4, 0xbf20bf04);   // itt eq; wfeeq
  guest->write32(kCode + 8, 0x46c03001);   // addeq r0, #1; mov r8, r8
  guest->write32(kCode + 12, 0x8000f7e0);  // hvc #0
  guest->cpu.r[0] = 0;
  guest->run(kCode | 1);
  EXPECT_EQ(guest->cpu.r[0], 1u);
  EXPECT_EQ(guest->event_waits, 1u);
  EXPECT_EQ(guest->cpu.it, 0u);
}

// With an interrupt pending WFE does not wait; where it is taken, watching ends.
TEST_P(EventsOfACpu, InterruptsEndTheWait) {
  const auto guest = make_guest();
  Asm a(kCode);
  a.words = {kWfe, kWfe, kHvc};
  guest->code(a, kCode);
  guest->on_wait_for_event = [&] { raise_line(guest->cpu, kLinePoll); };
  guest->run(kCode);
  EXPECT_EQ(guest->event_waits, 1u);
  EXPECT_EQ(guest->cpu.events->watchers, 0u);
}

TEST_P(EventsOfACpu, WfiGoesOnBehindItself) {
  const auto guest = make_guest();
  Asm a(kCode);
  a.words = {mov_imm(0, 1), kWfe, kWfi, add_imm(0, 0, 1), kHvc};
  guest->code(a, kCode);
  guest->raise_after(kLineIrq, 5);  // masked
  guest->run(kCode);
  lower_line(guest->cpu, kLineIrq);
  EXPECT_EQ(guest->waits, 1u);
  EXPECT_EQ(guest->cpu.r[0], 2u);
  EXPECT_EQ(guest->cpu.events->watchers, 0u);
}

}  // namespace
}  // namespace crosswalk::test
