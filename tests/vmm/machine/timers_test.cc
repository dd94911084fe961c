// SPDX-License-Identifier: GPL-2.0-or-later
// The timers of two CPUs, with and without the timer thread.
#include "vmm/machine/time/timers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/limits.h"
#include "vmm/machine/board/memory_map.h"

namespace crosswalk::vmm {
namespace {

constexpr unsigned kCpus = 2;
constexpr uint64_t kMillisecond = kCounterFrequency / 1000;

// What of a board has to do with time.
struct Part {
  Part() {
    timers.attach(gic, rtc);
    gic.distributor().write(0, 0, 4, 1);
    for (unsigned cpu = 0; cpu < kCpus; ++cpu) {
      gic.distributor().write(cpu, 0x100, 4, 1u << kVirtualTimerInterrupt);
      gic.cpu_interface().write(cpu, 0, 4, 1);
      gic.cpu_interface().write(cpu, 4, 4, 0xff);
    }
  }
  ~Part() { timers.stop(); }
  void set(unsigned cpu, uint64_t compare) {
    CpuState& state = vcpus[cpu].state();
    state.cp15.cntv_ctl = 1;
    state.cp15.cntv_cval = compare;
    timers.changed(state);
  }
  bool irq(unsigned cpu) const { return vcpus[cpu].lines() & kLineIrq; }

  SystemCounter counter;
  std::mutex lock;
  Vcpus vcpus{kCpus};
  GicV2 gic{kCpus, vcpus};
  Timers timers{counter, lock, vcpus, {}};
  Pl031 rtc{timers, gic, kFirstSpi + kRtcSpi};
};

TEST(Timers, EachCpuHasItsOwn) {
  Part part;
  part.timers.start(nullptr);
  part.set(0, part.counter.read() + 3600 * kCounterFrequency);
  const uint64_t at = part.counter.read() + 10 * kMillisecond;
  part.set(1, at);
  EXPECT_TRUE(test::eventually([&] { return part.irq(1); }));
  EXPECT_GE(part.counter.read(), at);
  EXPECT_FALSE(part.irq(0));
}

// Each value is handed on by a store; on hosts whose TSCs differ, or with an RDTSC before the load
// of what was handed on, it would be less at times.
TEST(Timers, NoCpuReadsLessThanAnotherHasRead) {
  Part part;
  std::atomic<uint64_t> last{0};
  const auto read = [&](unsigned cpu) {
    for (int i = 0; i < 200'000; ++i) {
      const uint64_t before = last.load();
      const uint64_t now = part.timers.counter_for(part.vcpus[cpu].state());
      ASSERT_GE(now, before);
      last.store(now);
    }
  };
  std::thread other([&] { read(1); });
  read(0);
  other.join();
}

// What is due after 40 ms of the guest's time comes 40 ms after the last reason has gone, less what
// had passed before; the host's time goes on, and --timeout with it.
TEST(Timers, TimeStandsStillAsLongAsThereIsAReason) {
  Part part;
  std::atomic<bool> timed_out{false};
  Timers timers(part.counter, part.lock, part.vcpus, {0.02, 0, [&] { timed_out = true; }});
  timers.attach(part.gic, part.rtc);
  timers.start(nullptr);
  const auto with_lock = [&](auto&& what) {
    const std::lock_guard lock(part.lock);
    what();
  };
  CpuState& cpu = part.vcpus[1].state();
  cpu.cp15.cntv_ctl = 1;
  with_lock([&] { timers.hold(Hold::Pause); });
  const uint64_t still = part.counter.read(), host = part.counter.host_ticks();
  cpu.cp15.cntv_cval = still + 40 * kMillisecond;
  timers.changed(cpu);
  with_lock([&] { timers.hold(Hold::Debugger); });
  with_lock([&] { timers.release(Hold::Pause); });
  EXPECT_TRUE(timers.is_held(Hold::Debugger));
  EXPECT_FALSE(timers.is_held(Hold::Pause));
  EXPECT_TRUE(
      test::eventually([&] { return timed_out.load() && part.counter.host_ticks() > host + 80 * kMillisecond; }));
  EXPECT_EQ(part.counter.read(), still);
  EXPECT_FALSE(part.irq(1));
  with_lock([&] { timers.release(Hold::Debugger); });
  EXPECT_GE(part.counter.to_host_ticks(still + 40 * kMillisecond), host + 120 * kMillisecond);
  EXPECT_TRUE(test::eventually([&] { return part.irq(1); }));
  EXPECT_GE(part.counter.read(), still + 40 * kMillisecond);
  timers.stop();
}

TEST(Timers, RestoredWithWhatIsDueAndWhatIsNot) {
  Part first;
  first.set(0, 0);
  const uint64_t at = first.counter.read() + 3600 * kCounterFrequency;
  first.set(1, at);
  EXPECT_TRUE(first.irq(0));
  const uint64_t seen = first.timers.counter_for(first.vcpus[1].state());
  const Timers::State state = first.timers.save();
  const uint64_t nanoseconds = first.counter.nanoseconds();

  Part second;
  second.counter.restore(nanoseconds);
  second.gic.restore(first.gic.save());
  second.timers.restore(state);
  EXPECT_TRUE(second.irq(0));
  EXPECT_FALSE(second.irq(1));
  EXPECT_EQ(second.timers.deadline(1), at);
  const uint64_t now = second.timers.counter_for(second.vcpus[1].state());
  EXPECT_GE(now, seen);  // a CPU never sees the counter go back
  EXPECT_LT(now, at);
  // Nearly an hour later it is due soon, and comes.
  Part third;
  third.counter.restore((at - 5 * kMillisecond) * kNanosecondsPerTick);
  third.gic.restore(first.gic.save());
  third.timers.restore(state);
  third.timers.start(nullptr);
  EXPECT_TRUE(test::eventually([&] { return third.irq(1); }));
  EXPECT_GE(third.counter.read(), at);
}

}  // namespace
}  // namespace crosswalk::vmm
