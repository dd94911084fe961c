// SPDX-License-Identifier: GPL-2.0-or-later
// A debugger on the host in running code: the CPU stops before the instruction, with exact
// registers, and goes on as if nothing had been.
#include "translator/arm32/cpu/host_debug.h"

#include <deque>

#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(HostDebugging);

using arm::HostDebug;
using arm::HostStop;

constexpr uint32_t kSvc = 0xef000000;

// What the CPU does at each stop is up to the next of `then`; the first is before it begins.
class Debugged {
 public:
  struct Stop {
    HostStop what;
    uint32_t pc, address;
  };

  explicit Debugged(Guest& guest) : g(guest) {
    g.cpu.host_debug = &debug;
    g.on_queued_work = [this](engine::Engine& engine) {
      if (begun_) stops.push_back({debug.hit.stop, g.cpu.r[15], debug.hit.address});
      begun_ = true;
      debug.hit = {};
      debug.step = HostDebug::Step::Off;
      registers = false;
      if (!then.empty()) {
        then.front()();
        then.pop_front();
      }
      engine.debugger_changed(registers);
    };
  }
  ~Debugged() {
    g.cpu.host_debug = nullptr;
    g.on_queued_work = nullptr;
  }
  void run(uint32_t pc) {
    stops.clear();
    begun_ = false;
    raise_line(g.cpu, kLineWork);
    g.run(pc);
  }
  void step(uint32_t first = 0, uint32_t end = 0) {
    debug.step = HostDebug::Step::First;
    debug.step_pc = g.cpu.r[15];
    debug.step_first = first;
    debug.step_end = end;
  }
  void expect(size_t n, HostStop what, uint32_t pc, uint32_t address = 0) {
    ASSERT_LT(n, stops.size());
    EXPECT_EQ(stops[n].what, what) << n;
    EXPECT_EQ(stops[n].pc, pc) << n << " " << std::hex << stops[n].pc << " " << pc;
    EXPECT_EQ(stops[n].address, address) << n;
  }

  Guest& g;
  HostDebug debug;
  std::deque<std::function<void()>> then;
  std::vector<Stop> stops;
  bool registers = false;

 private:
  bool begun_ = false;
};

TEST_P(HostDebugging, BreakpointsInALoopThatRunsAlready) {
  auto g = make_guest();
  Asm a(kCode);
  const uint32_t loop = a.here();
  a({add_imm(1, 1, 1)});
  const uint32_t stop = a.here();
  a({add_imm(2, 2, 1), subs_imm(0, 0, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->cpu.r[0] = 1000;
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);

  Debugged d(*g);
  g->cpu.r[0] = 3, g->cpu.r[1] = g->cpu.r[2] = 0;
  d.then = {[&] { d.debug.points.breakpoints = {stop}; },
            // Once more at the same place, since it was not taken away.
            [&] {
              EXPECT_EQ(g->cpu.r[1], 1u);
              EXPECT_EQ(g->cpu.r[2], 0u);
            },
            [&] {
              d.debug.points.breakpoints = {};
              d.step();
            },
            // Registers are written: the loop is left.
            [&] {
              EXPECT_EQ(g->cpu.r[2], 1u);
              g->cpu.r[2] = 50;
              g->cpu.r[15] = stop + 12;
              d.registers = true;
            }};
  d.run(kCode);
  ASSERT_EQ(d.stops.size(), 3u);
  d.expect(0, HostStop::Breakpoint, stop);
  d.expect(1, HostStop::Breakpoint, stop);
  d.expect(2, HostStop::Step, stop + 4);
  EXPECT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->cpu.r[2], 50u);
}

TEST_P(HostDebugging, BreakpointsInMorePagesThanAreKnownOneByOne) {
  auto g = make_guest();
  Debugged d(*g);
  constexpr uint32_t kPages = arm::kHostBreakPages + 2;
  for (uint32_t i = 0; i < kPages; ++i) {
    const uint32_t at = kCode + i * 0x1000;
    g->words(at, {add_imm(0, 0, 1), i + 1 < kPages ? branch(at + 4, at + 0x1000) : kNop, kHvc});
  }
  g->run(kCode);
  for (uint32_t count = kPages - 3; count <= kPages; ++count) {
    d.then = {[&] {
      d.debug.points.breakpoints.clear();
      for (uint32_t i = 0; i < count; ++i) d.debug.points.breakpoints.push_back(kCode + i * 0x1000 + 4);
    }};
    for (uint32_t i = 0; i < count; ++i) {
      d.then.push_back([&] { d.step(); });
      d.then.push_back([] {});
    }
    d.run(kCode);
    ASSERT_EQ(d.stops.size(), 2 * count);
    for (uint32_t i = 0; i < count; ++i) d.expect(2 * i, HostStop::Breakpoint, kCode + i * 0x1000 + 4);
  }
}

// Over an access to a device, which a window has not met before; a branch to itself; an exception;
// an instruction that is not there; with an interrupt that waits.
TEST_P(HostDebugging, Steps) {
  auto g = make_guest();
  Asm a(kCode);
  a.set(1, kDevice);
  const uint32_t first = a.here();
  a({str(0, 1), add_imm(0, 0, 1), kCpsieI, kWfi});
  const uint32_t self = a.here();
  a({branch(self, self), kSvc, kHvc});
  g->code(a, kCode);
  Debugged d(*g);
  d.then = {[&] { d.debug.points.breakpoints = {first}; },
            [&] {
              raise_line(g->cpu, kLineIrq);
              d.step();
            },
            [&] { d.step(); },
            [&] { d.step(); },
            [&] { d.step(); },
            [&] { d.step(); },
            [&] { d.step(self, self + 4); },
            [&] {}};
  d.debug.points.breakpoints = {};
  // The range step never ends by itself.
  d.then[6] = [&] {
    lower_line(g->cpu, kLineIrq);
    g->cpu.r[15] = self + 4;
    d.registers = true;
    d.step();
  };
  d.run(kCode);
  ASSERT_GE(d.stops.size(), 7u);
  d.expect(0, HostStop::Breakpoint, first);
  d.expect(1, HostStop::Step, first + 4);
  EXPECT_EQ(g->accesses.size(), 1u);
  d.expect(2, HostStop::Step, first + 8);
  d.expect(3, HostStop::Step, first + 12);
  d.expect(4, HostStop::Step, self);
  EXPECT_EQ(g->waits, 0u);
  d.expect(5, HostStop::Step, self);
  d.expect(6, HostStop::Step, kVectors + 8);
  EXPECT_EQ(g->stopped_at(), Exception::SupervisorCall);
}

TEST_P(HostDebugging, StepsInARange) {
  auto g = make_guest();
  Asm a(kCode);
  a({mov_imm(0, 20)});
  const uint32_t loop = a.here();
  a({subs_imm(0, 0, 1)}).b(loop, kNe)({add_imm(1, 1, 1), kHvc});
  g->code(a, kCode);
  Debugged d(*g);
  d.then = {[&] { d.step(kCode, loop + 8); }, [&] { EXPECT_EQ(g->cpu.r[0], 0u); }};
  d.run(kCode);
  ASSERT_EQ(d.stops.size(), 1u);
  d.expect(0, HostStop::Step, loop + 8);
  // To an address that nothing is mapped at.
  d.then = {[&] {
    g->cpu.r[15] = 0x00200000;
    d.registers = true;
    d.step();
  }};
  d.run(kCode);
  ASSERT_EQ(d.stops.size(), 1u);
  d.expect(0, HostStop::Step, kVectors + 12);
}

TEST_P(HostDebugging, WatchpointsBeforeTheAccess) {
  auto g = make_guest();
  g->map(kVa, kData);
  g->map(kVa + 0x1000, kData + 0x1000);
  Asm a(kCode);
  a.set(0, kVa + 0xffc);
  const uint32_t load = a.here();
  a({ldr(1, 0), str(1, 0, 4), 0xe5802002 /* STR R2, [R0, #2] */, 0xe8a0001e /* STMIA R0!, {R1-R4} */,
     0xe2400010 /* SUB R0, R0, #16 */, 0xe2800004 /* ADD R0, R0, #4 */, 0xe1905f9f /* LDREX R5, [R0] */,
     0xe1805f91 /* STREX R5, R1, [R0] */, kHvc});
  g->code(a, kCode);
  g->run(kCode);  // the pages are entered
  ASSERT_EQ(g->stopped_at(), Exception::None);
  const auto watch = [&](uint32_t first, uint32_t last, bool loads, bool stores) {
    return [&, first, last, loads, stores] { g->cpu.host_debug->points.watchpoints = {{first, last, loads, stores}}; };
  };
  const uint32_t word = kVa + 0x1000;
  Debugged d(*g);
  // As a debugger does it: away, a step, and there again.
  const auto steps = [&](const std::function<void()>& points, size_t times) {
    d.then = {points};
    for (size_t i = 0; i < times; ++i) {
      d.then.push_back([&] {
        d.debug.points.watchpoints.clear();
        d.step();
      });
      d.then.push_back(points);
    }
    g->write32(kData + 0x1000, 0);
    d.run(kCode);
    EXPECT_EQ(g->stopped_at(), Exception::None);
    EXPECT_EQ(g->cpu.r[5], 0u);  // the exclusive store was made
  };
  steps(watch(word, word + 3, false, true), 4);
  ASSERT_EQ(d.stops.size(), 8u);
  d.expect(0, HostStop::Store, load + 4, word);
  d.expect(2, HostStop::Store, load + 8, word);
  d.expect(4, HostStop::Store, load + 12, word);
  d.expect(6, HostStop::Store, load + 28, word);
  steps(watch(word, word + 3, true, false), 1);
  ASSERT_EQ(d.stops.size(), 2u);
  d.expect(0, HostStop::Load, load + 24, word);
  steps(watch(word + 1, word + 1, true, true), 5);
  ASSERT_EQ(d.stops.size(), 10u);
  d.expect(0, HostStop::LoadOrStore, load + 4, word + 1);
  d.expect(6, HostStop::LoadOrStore, load + 24, word + 1);
  steps(watch(word + 64, word + 0x3000, true, true), 0);
  EXPECT_TRUE(d.stops.empty());
  steps(watch(kVa, kVa + 0xfff, true, true), 3);
  ASSERT_EQ(d.stops.size(), 6u);
  d.expect(0, HostStop::LoadOrStore, load, kVa + 0xffc);
  d.expect(2, HostStop::LoadOrStore, load + 8, kVa + 0xffe);
}

TEST_P(HostDebugging, CaughtExceptions) {
  auto g = make_guest();
  Asm a(kCode);
  a.set(0, 0x00200000)({kSvc, ldr(1, 0), kHvc});
  g->code(a, kCode);
  g->words(kVectors + 8, {kMovsPcLr});
  g->words(kVectors + 16, {0xe25ef004 /* SUBS PC, LR, #4 */});
  Debugged d(*g);
  d.then = {[&] { d.debug.points.catches = 1 << 2 | 1 << 4; }};
  d.run(kCode);
  ASSERT_EQ(d.stops.size(), 2u);
  d.expect(0, HostStop::Caught, kVectors + 8);
  d.expect(1, HostStop::Caught, kVectors + 16);
  EXPECT_EQ(g->stopped_at(), Exception::None);
}

}  // namespace
}  // namespace crosswalk::test
