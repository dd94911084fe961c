// SPDX-License-Identifier: GPL-2.0-or-later
// The machine as the engine sees it: counter, timers, sleeping, PSCI, semihosting, console and disk
// through its threads.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/virtio_blk.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "tests/limits.h"
#include "tests/vmm/test_files.h"
#include "translator/arm32/cpu/reset.h"
#include "vmm/base/raw_terminal.h"
#include "vmm/base/statistics.h"
#include "vmm/machine/machine.h"

namespace crosswalk::vmm {
namespace {

using namespace std::chrono_literals;
using test::eventually;
constexpr uint64_t kMillisecond = kCounterFrequency / 1000;

uint64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

TEST(SystemCounter, MatchesTheMonotonicClock) {
  const SystemCounter counter;
  // Both clocks at one moment: the pair that nothing came between, of several.
  struct Moment {
    uint64_t ns, ticks;
  };
  const auto now = [&counter] {
    Moment best{};
    uint64_t shortest = ~uint64_t{0};
    for (int i = 0; i < 1000; ++i) {
      const uint64_t before = monotonic_ns(), ticks = counter.read(), taken = monotonic_ns() - before;
      if (taken < shortest) shortest = taken, best = {before + taken / 2, ticks};
    }
    return best;
  };
  const Moment start = now();
  std::this_thread::sleep_for(200ms);
  const Moment end = now();
  const double ticks = static_cast<double>(end.ticks - start.ticks) * static_cast<double>(kNanosecondsPerTick);
  EXPECT_NEAR(ticks / static_cast<double>(end.ns - start.ns), 1.0, 0.01);
}

TEST(SystemCounter, NeverGoesBack) {
  const SystemCounter counter;
  uint64_t last = counter.read();
  EXPECT_LT(last, kCounterFrequency);
  for (int i = 0; i < 1'000'000; ++i) {
    const uint64_t now = counter.read();
    ASSERT_GE(now, last);
    last = now;
  }
}

class MachineTest : public testing::Test, public EnginePort {
 protected:
  MachineTest() {
    signal(SIGPIPE, SIG_IGN);  // as block_signals does for a run
    EXPECT_EQ(pipe(in_), 0);
    EXPECT_EQ(pipe(out_), 0);
    config_.memory_bytes = kMinMemory;
    config_.input_fd = in_[0];
    config_.output_fd = out_[1];
  }
  ~MachineTest() override {
    machine_.reset();
    for (int fd : {in_[0], in_[1], out_[0], out_[1]}) close(fd);
  }
  void make() {
    auto made = Machine::create(config_);
    ASSERT_TRUE(made) << made.error();
    machine_ = std::move(*made);
    machine_->set_engine(this);
  }
  CpuState& cpu() { return machine_->cpu(0); }
  uint32_t get(uint64_t pa) {
    uint64_t value = 0;
    EXPECT_TRUE(machine_->platform().mmio_read(cpu(), pa, 4, value));
    return static_cast<uint32_t>(value);
  }
  void set(uint64_t pa, uint32_t value) { EXPECT_TRUE(machine_->platform().mmio_write(cpu(), pa, 4, value)); }
  void enable_gic(unsigned interrupt) {
    set(kGicDistributorBase, 1);
    set(kGicDistributorBase + 0x100 + interrupt / 32 * 4, 1u << interrupt % 32);
    set(kGicCpuInterfaceBase, 1);
    set(kGicCpuInterfaceBase + 4, 0xff);
  }
  uint32_t lines() { return std::atomic_ref<uint32_t>(cpu().interrupt_lines).load(); }
  bool wait_for_line(uint32_t line) {
    return eventually([&] { return (lines() & line) != 0; }, 100us);
  }
  std::string read_output(size_t bytes) { return read_from(out_[0], bytes); }
  // At least as many bytes, however many each read brings; fewer when no more come.
  static std::string read_from(int fd, size_t bytes) {
    std::string text;
    while (text.size() < bytes) {
      pollfd readable{fd, POLLIN, 0};
      if (poll(&readable, 1, static_cast<int>(test::patience().count())) <= 0) break;
      char buffer[4096];
      const ssize_t count = read(fd, buffer, sizeof buffer);
      if (count <= 0) break;
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }
  uint32_t call(uint32_t r0, uint32_t r1 = 0, uint32_t r2 = 0, uint32_t r3 = 0) {
    cpu().r[0] = r0;
    cpu().r[1] = r1;
    cpu().r[2] = r2;
    cpu().r[3] = r3;
    EXPECT_TRUE(machine_->platform().firmware_call(cpu()));
    return cpu().r[0];
  }

  // Reads 1 KiB from sector 2 of the first disk to 0x40011000.
  void request_disk() {
    const uint64_t slot = kVirtioBase + 31 * kVirtioStride;
    EXPECT_EQ(get(slot + 8), 2u);
    enable_gic(32 + 16 + 31);
    for (const auto& [offset, value] : std::initializer_list<std::pair<uint32_t, uint32_t>>{{0x70, 1},
                                                                                            {0x70, 3},
                                                                                            {0x24, 1},
                                                                                            {0x20, 1},
                                                                                            {0x70, 11},
                                                                                            {0x30, 0},
                                                                                            {0x38, 8},
                                                                                            {0x80, 0x40000000},
                                                                                            {0x90, 0x40001000},
                                                                                            {0xa0, 0x40002000},
                                                                                            {0x44, 1},
                                                                                            {0x70, 15}}) {
      set(slot + offset, value);
    }
    const GuestRam& ram = machine_->ram();
    const auto put = [&](uint64_t pa, auto value) { std::memcpy(ram.at(pa), &value, sizeof value); };
    const struct {
      uint64_t pa;
      uint32_t bytes;
      uint16_t flags, next;
    } descriptors[] = {{0x40010000, 16, 1, 1}, {0x40011000, 1024, 3, 2}, {0x40012000, 1, 2, 0}};
    for (size_t i = 0; i < 3; ++i) {
      put(0x40000000 + i * 16, descriptors[i].pa);
      put(0x40000008 + i * 16, descriptors[i].bytes);
      put(0x4000000c + i * 16, descriptors[i].flags);
      put(0x4000000e + i * 16, descriptors[i].next);
    }
    put(0x40010008, uint64_t{2});  // type 0 (IN), sector 2
    // The I/O thread may be looking.
    std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(ram.at(0x40001002))).store(1);
    set(slot + 0x50, 0);
  }

  void external_write(CpuState&, uint64_t pa, uint64_t bytes) override { written_.push_back({pa, bytes}); }
  bool translate(CpuState&, uint32_t va, bool, uint64_t& pa) override {
    pa = va;
    return va != kFaultingPage;
  }

  static constexpr uint32_t kFaultingPage = 0x40005000;
  MachineConfig config_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::pair<uint64_t, uint64_t>> written_;
  int in_[2], out_[2];
};

TEST_F(MachineTest, UnassignedSpaceDoesNotAnswer) {
  make();
  uint64_t value;
  EXPECT_FALSE(machine_->platform().mmio_read(cpu(), 0, 4, value));
  EXPECT_FALSE(machine_->platform().mmio_read(cpu(), 0x0b000000, 4, value));
  EXPECT_FALSE(machine_->platform().mmio_write(cpu(), 0x09040000, 4, 0));
  EXPECT_FALSE(machine_->platform().mmio_read(cpu(), ~uint64_t{0} - 3, 4, value));
  EXPECT_EQ(get(kVirtioBase), 0x74726976u);
}

TEST_F(MachineTest, TimersRaiseTheirInterruptsInTime) {
  make();
  machine_->start();
  const struct {
    unsigned interrupt;
    uint32_t Cp15::*control;
    uint64_t Cp15::*compare;
  } timers[] = {{27, &Cp15::cntv_ctl, &Cp15::cntv_cval}, {30, &Cp15::cntp_ctl, &Cp15::cntp_cval}};
  for (const auto& timer : timers) {
    enable_gic(timer.interrupt);
    const uint64_t at = machine_->platform().counter() + 20 * kMillisecond;
    cpu().cp15.*timer.compare = at;
    cpu().cp15.*timer.control = 1;
    machine_->platform().timers_changed(cpu());
    const uint32_t early = lines();
    EXPECT_TRUE(early == 0 || machine_->platform().counter() >= at);
    ASSERT_TRUE(wait_for_line(kLineIrq));
    EXPECT_GE(machine_->platform().counter(), at);
    EXPECT_EQ(get(kGicCpuInterfaceBase + 0xc), timer.interrupt);
    cpu().cp15.*timer.control = 3;  // masked: a level that goes away
    machine_->platform().timers_changed(cpu());
    set(kGicCpuInterfaceBase + 0x10, timer.interrupt);
    EXPECT_EQ(lines(), 0u);
    cpu().cp15.*timer.control = 1;  // unmasked: it is still due
    machine_->platform().timers_changed(cpu());
    EXPECT_EQ(lines(), uint32_t{kLineIrq});
    cpu().cp15.*timer.control = 0;
    machine_->platform().timers_changed(cpu());
    EXPECT_EQ(lines(), 0u);
  }
}

TEST_F(MachineTest, VirtualOffsetShiftsTheVirtualTimer) {
  make();
  enable_gic(27);
  cpu().cp15.cntvoff = 1000 * kCounterFrequency;
  cpu().cp15.cntv_cval = 0;
  cpu().cp15.cntv_ctl = 1;
  machine_->platform().timers_changed(cpu());
  cpu().cp15.cntvoff = 0;
  machine_->platform().timers_changed(cpu());
  EXPECT_EQ(lines(), uint32_t{kLineIrq});
}

// Without a timer thread: what the CPU's own reads show must be consistent.
TEST_F(MachineTest, AReadOfTheCounterRaisesWhatIsDue) {
  make();
  enable_gic(27);
  cpu().cp15.cntv_cval = machine_->platform().counter() + kMillisecond;
  cpu().cp15.cntv_ctl = 1;
  machine_->platform().timers_changed(cpu());
  while (machine_->platform().counter_for(cpu()) < cpu().cp15.cntv_cval) EXPECT_EQ(lines(), 0u);
  EXPECT_EQ(lines(), uint32_t{kLineIrq});
}

TEST_F(MachineTest, AReadOfTheGicShowsWhatIsDue) {
  make();
  enable_gic(30);
  cpu().cp15.cntp_cval = machine_->platform().counter() + kMillisecond;
  cpu().cp15.cntp_ctl = 1;
  machine_->platform().timers_changed(cpu());
  constexpr uint64_t kPending = kGicDistributorBase + 0x200;
  const uint32_t early = get(kPending);
  EXPECT_TRUE(early == 0 || machine_->platform().counter() >= cpu().cp15.cntp_cval);
  std::this_thread::sleep_for(2ms);
  EXPECT_EQ(get(kPending), 1u << 30);
  EXPECT_EQ(get(kGicCpuInterfaceBase + 0xc), 30u);
}

TEST_F(MachineTest, AnOverflowRaisesItsInterruptInTime) {
  make();
  machine_->start();
  enable_gic(23);
  const uint64_t at = machine_->platform().counter() + 20 * kMillisecond;
  cpu().performance.interrupt_at = at;
  machine_->platform().timers_changed(cpu());
  const uint32_t early = lines();
  EXPECT_TRUE(early == 0 || machine_->platform().counter() >= at);
  ASSERT_TRUE(wait_for_line(kLineIrq));
  EXPECT_GE(machine_->platform().counter(), at);
  EXPECT_EQ(get(kGicCpuInterfaceBase + 0xc), 23u);
  cpu().performance.interrupt_at = 0;
  machine_->platform().timers_changed(cpu());
  set(kGicCpuInterfaceBase + 0x10, 23);
  EXPECT_EQ(lines(), 0u);
}

TEST_F(MachineTest, NanosecondsAreTheCounterMoreFinely) {
  make();
  uint64_t last = machine_->platform().nanoseconds();
  for (int i = 0; i < 1000; ++i) {
    const uint64_t before = machine_->platform().counter(), now = machine_->platform().nanoseconds(),
                   after = machine_->platform().counter();
    EXPECT_LE(before, now / kNanosecondsPerTick);
    EXPECT_LE(now / kNanosecondsPerTick, after);
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST_F(MachineTest, AnEarlierDeadlineReplacesALaterOne) {
  make();
  machine_->start();
  enable_gic(27);
  cpu().cp15.cntv_ctl = 1;
  cpu().cp15.cntv_cval = machine_->platform().counter() + 3600 * kCounterFrequency;
  machine_->platform().timers_changed(cpu());
  std::this_thread::sleep_for(20ms);
  cpu().cp15.cntv_cval = machine_->platform().counter() + 5 * kMillisecond;
  machine_->platform().timers_changed(cpu());
  EXPECT_TRUE(wait_for_line(kLineIrq));
}

TEST_F(MachineTest, WaitForInterruptSleepsUntilTheTimer) {
  make();
  machine_->start();
  enable_gic(27);
  for (int i = 0; i < 20; ++i) {
    const uint64_t at = machine_->platform().counter() + 3 * kMillisecond;
    cpu().cp15.cntv_cval = at;
    cpu().cp15.cntv_ctl = 1;
    machine_->platform().timers_changed(cpu());
    unsigned waits = 0;
    while (lines() == 0 && waits < 1000) {
      machine_->platform().wait_for_interrupt(cpu());
      ++waits;
    }
    EXPECT_LT(waits, 5u);
    EXPECT_GE(machine_->platform().counter(), at);
    EXPECT_EQ(get(kGicCpuInterfaceBase + 0xc), 27u);
    cpu().cp15.cntv_ctl = 0;
    machine_->platform().timers_changed(cpu());
    set(kGicCpuInterfaceBase + 0x10, 27);
  }
}

TEST_F(MachineTest, WaitForInterruptUsesNoCpuTime) {
  make();
  machine_->start();
  timespec before, after;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::thread waker([this] {
    std::this_thread::sleep_for(300ms);
    machine_->stop().request(StopReason::PowerOff);
  });
  while (!(lines() & kLineStop)) machine_->platform().wait_for_interrupt(cpu());
  waker.join();
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  const double used =
      static_cast<double>(after.tv_sec - before.tv_sec) + static_cast<double>(after.tv_nsec - before.tv_nsec) * 1e-9;
  EXPECT_LT(used, 0.1);
  EXPECT_EQ(machine_->stop().state().reason, StopReason::PowerOff);
}

TEST_F(MachineTest, TimeoutStops) {
  config_.timeout_seconds = 0.05;
  make();
  machine_->start();
  ASSERT_TRUE(wait_for_line(kLineStop));
  EXPECT_EQ(machine_->stop().state().exit_status(), kExitTimeout);
  // It follows the line.
  EXPECT_TRUE(eventually([&] { return std::atomic_ref<uint32_t>(cpu().pending).load() == 1; }, 100us));
  machine_->stop().request(StopReason::PowerOff);  // too late: the first request counts
  EXPECT_EQ(machine_->stop().state().reason, StopReason::Timeout);
}

// Again and again, and with no interrupt raised.
TEST_F(MachineTest, CpuPollsEverySoOften) {
  config_.poll_seconds = 0.001;
  make();
  machine_->start();
  std::atomic_ref<uint32_t> pending(cpu().pending);
  for (int i = 0; i < 3; i++) {
    lower_line(cpu(), kLinePoll);
    pending.store(0);
    EXPECT_TRUE(eventually([&] { return pending.load() != 0; }));
    EXPECT_EQ(pending.load(), 1u);
  }
  EXPECT_EQ(std::atomic_ref<uint32_t>(cpu().interrupt_lines).load(), kLinePoll);
}

TEST_F(MachineTest, RealTimeClockAlarm) {
  make();
  machine_->start();
  enable_gic(34);
  set(kRtcBase + 0x10, 1);
  set(kRtcBase + 4, get(kRtcBase) + 1);
  EXPECT_TRUE(wait_for_line(kLineIrq));
}

TEST_F(MachineTest, Psci) {
  make();
  EXPECT_EQ(call(0x84000000), 0x00010001u);
  EXPECT_EQ(call(0x8400000a, 0x84000008), 0u);
  EXPECT_EQ(call(0x8400000a, 0x84000001), 0u);
  EXPECT_EQ(call(0x8400000a, 0x80000000), 0xffffffffu);
  EXPECT_EQ(call(0x84000006), 2u);
  EXPECT_EQ(call(0x84000003, 0), static_cast<uint32_t>(-4));  // already on
  EXPECT_EQ(call(0x84000003, 1), static_cast<uint32_t>(-2));
  EXPECT_EQ(call(0x84000004, 0, 0), 0u);
  EXPECT_EQ(call(0x84000004, 5, 0), static_cast<uint32_t>(-2));
  // Levels above 0: the only cluster, whatever the fields below the level are; and those that are
  // not there.
  for (const uint32_t level : {1u, 2u, 3u}) {
    EXPECT_EQ(call(0x84000004, 0, level), 0u) << level;
    EXPECT_EQ(call(0x84000004, (1u << 8 * level) - 1, level), 0u) << level;
  }
  EXPECT_EQ(call(0x84000004, 0x100, 1), static_cast<uint32_t>(-2));
  EXPECT_EQ(call(0x84000004, 0x10000, 2), static_cast<uint32_t>(-2));
  EXPECT_EQ(call(0x84000004, 0, 4), static_cast<uint32_t>(-2));
  EXPECT_EQ(call(0x84000005), 0xffffffffu);
  cpu().r[0] = 0x12345678;
  EXPECT_FALSE(machine_->platform().firmware_call(cpu()));
  call(0x84000009);
  EXPECT_EQ(machine_->stop().state().exit_status(), kExitGuestReset);
  EXPECT_TRUE(lines() & kLineStop);
}

TEST_F(MachineTest, CpuOffLeavesTheGuest) {
  make();
  call(0x84000002);
  EXPECT_TRUE(lines() & kLineStop);
  EXPECT_FALSE(machine_->stop().stopping());
}

// A CPU that is off, on its thread: it is switched on, switches itself off, and again.
TEST_F(MachineTest, CpusAreSwitchedOnAndOff) {
  config_.cpus = 2;
  make();
  machine_->start();
  Platform& platform = machine_->platform();
  CpuState& second = machine_->cpu(1);
  arm::reset_cpu(cpu(), arm::CpuModel::CortexA15, 0, 2);
  arm::reset_cpu(second, arm::CpuModel::CortexA15, 1, 2);
  std::atomic<uint32_t> runs{0}, entry{0}, context{0};
  std::atomic<bool> go_on{false};
  std::thread thread([&] {
    machine_->run_cpu(1, [&](CpuStart how) {
      EXPECT_EQ(how, CpuStart::PoweredOn);
      EXPECT_EQ(second.mpidr & 0xff, 1u);
      EXPECT_FALSE(std::atomic_ref<uint32_t>(second.interrupt_lines).load() & kLineStop);
      entry = second.r[15] | second.t;
      context = second.r[0];
      second.cp15.ttbr0 = 0x1234;  // not there the next time
      ++runs;
      while (!go_on.exchange(false)) std::this_thread::yield();
      if (machine_->stop().stopping()) return;
      second.r[0] = 0x84000002;
      EXPECT_TRUE(platform.firmware_call(second));
    });
  });
  constexpr uint32_t kOff = 1, kOn = 0;
  for (uint32_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(eventually([&] { return call(0x84000004, 1) == kOff; }, 100us));
    EXPECT_EQ(call(0x84000003, 1, 0x40000001, i), 0u);
    EXPECT_TRUE(eventually([&] { return runs == i; }, 100us));
    EXPECT_EQ(entry, 0x40000001u);
    EXPECT_EQ(context, i);
    EXPECT_EQ(call(0x84000004, 1), kOn);
    EXPECT_EQ(call(0x84000003, 1, 0x40000000), static_cast<uint32_t>(-4));  // already on
    if (i < 3) go_on = true;
  }
  machine_->stop().request(StopReason::PowerOff);
  go_on = true;
  thread.join();
  EXPECT_EQ(runs, 3u);
  EXPECT_EQ(second.cp15.ttbr0, 0x1234u);
}

// Of a machine that stops, and of one that is asked for its state.
TEST_F(MachineTest, ThreadsOfCpusThatAreOffAnswer) {
  config_.cpus = 8;
  int errors[2];
  ASSERT_EQ(pipe(errors), 0);
  config_.error_fd = errors[1];
  config_.escape_keys = true;
  make();
  machine_->start();
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < 8; ++i) {
    threads.emplace_back([this, i] { machine_->run_cpu(i, [](CpuStart) { ADD_FAILURE(); }); });
  }
  ASSERT_EQ(write(in_[1], "\1i", 2), 2);
  ASSERT_TRUE(wait_for_line(kLineWork));
  machine_->platform().run_queued_work(cpu());
  std::string text;
  while (text.find("CPU 7") == std::string::npos) {
    pollfd fd{errors[0], POLLIN, 0};
    char buffer[8192];
    const ssize_t count = poll(&fd, 1, 5000) > 0 ? read(errors[0], buffer, sizeof buffer) : 0;
    ASSERT_GT(count, 0) << text;
    text.append(buffer, static_cast<size_t>(count));
  }
  EXPECT_NE(text.find("CPU 7: off"), std::string::npos) << text;
  EXPECT_EQ(text.find("did not answer"), std::string::npos) << text;
  machine_->stop().request(StopReason::PowerOff);
  for (std::thread& thread : threads) thread.join();
  machine_.reset();
  close(errors[0]);
  close(errors[1]);
}

TEST_F(MachineTest, CpuThatIsSwitchedOffHandsItsCompletionsOn) {
  const TestFile disk(std::vector<uint8_t>(4096));
  config_.cpus = 2;
  config_.disks = {{disk.path(), true}};
  make();
  machine_->start();
  CpuState& second = machine_->cpu(1);
  arm::reset_cpu(second, arm::CpuModel::CortexA15, 1, 2);
  std::atomic<bool> published{false};
  std::thread first_thread, second_thread([&] {
    machine_->run_cpu(1, [&](CpuStart) {
      const std::atomic_ref<uint32_t> lines(second.interrupt_lines);
      for (; !(lines.load() & kLineStop); std::this_thread::yield()) {
        if (!(lines.load() & kLineWork)) continue;
        machine_->platform().run_queued_work(second);
        published = published || *machine_->ram().at(0x40002002) == 1;  // the used index
      }
    });
  });
  EXPECT_EQ(call(0x84000003, 1, 0x40000000), 0u);
  EXPECT_TRUE(eventually([&] { return call(0x84000004, 1) == 0; }, 100us));
  first_thread = std::thread([&] {
    machine_->run_cpu(0, [&](CpuStart) {
      request_disk();
      EXPECT_TRUE(wait_for_line(kLineWork));
      call(0x84000002);
    });
  });
  EXPECT_TRUE(eventually([&] { return published.load(); }));
  machine_->stop().request(StopReason::PowerOff);
  first_thread.join();
  second_thread.join();
  EXPECT_EQ(machine_->ram().at(0x40012000)[0], VIRTIO_BLK_S_OK);
  EXPECT_EQ(machine_->counters().completions, 1u);
}

TEST_F(MachineTest, SystemOff) {
  make();
  call(0x84000008);
  EXPECT_EQ(machine_->stop().state().exit_status(), kExitPoweredOff);
}

TEST_F(MachineTest, ConsoleBothWays) {
  make();
  machine_->start();
  const std::string text(10'000, 'o');
  for (char c : text + "\n") set(kUartBase, static_cast<uint8_t>(c));
  EXPECT_EQ(read_output(text.size() + 1), text + "\n");
  enable_gic(33);
  set(kUartBase + 0x38, 0x50);
  ASSERT_EQ(write(in_[1], "hi", 2), 2);
  ASSERT_TRUE(wait_for_line(kLineIrq));
  EXPECT_EQ(get(kUartBase), uint32_t{'h'});
  // The second byte may come with a later read of stdin.
  EXPECT_TRUE(eventually([&] { return !(get(kUartBase + 0x18) & 0x10); }));
  EXPECT_EQ(get(kUartBase), uint32_t{'i'});
}

// Its registers, its interrupt, and whoever is at its other end are its own.
TEST_F(MachineTest, ASecondSerialPort) {
  int in[2], out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe(out), 0);
  config_.second_port = PortConfig{in[0], out[1]};
  make();
  constexpr unsigned kInterrupt = kFirstSpi + kSecondUartSpi;
  enable_gic(kInterrupt);
  set(kSecondUartBase + 0x38, 1u << 4 | 1u << 6);  // UARTIMSC: what is received
  machine_->start();
  for (const char c : std::string("two")) set(kSecondUartBase, static_cast<uint8_t>(c));
  for (const char c : std::string("one")) set(kUartBase, static_cast<uint8_t>(c));
  EXPECT_EQ(read_output(3), "one");
  EXPECT_EQ(read_from(out[0], 3), "two");
  ASSERT_EQ(write(in[1], "t", 1), 1);
  ASSERT_TRUE(wait_for_line(kLineIrq));
  EXPECT_EQ(get(kGicCpuInterfaceBase + 0xc), kInterrupt);
  EXPECT_EQ(get(kUartBase + 0x18) & 0x10, 0x10u);  // UARTFR.RXFE
  EXPECT_EQ(get(kSecondUartBase), uint32_t{'t'});
  // What is printed last is written before the end.
  for (const char c : std::string("end")) set(kSecondUartBase, static_cast<uint8_t>(c));
  ASSERT_TRUE(machine_->shutdown());
  EXPECT_EQ(read_from(out[0], 3), "end");
  machine_.reset();
  for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
}

TEST_F(MachineTest, MuchInputIsNotLost) {
  make();
  machine_->start();
  std::string sent;
  for (int i = 0; i < 20'000; ++i) sent.push_back(static_cast<char>('a' + i % 26));
  std::thread writer([&] { EXPECT_EQ(write(in_[1], sent.data(), sent.size()), static_cast<ssize_t>(sent.size())); });
  std::string got;
  // A limit from one byte to the next.
  const auto has_byte = [&] { return !(get(kUartBase + 0x18) & 0x10); };
  while (got.size() < sent.size() && (has_byte() || eventually(has_byte)))
    got.push_back(static_cast<char>(get(kUartBase)));
  writer.join();
  EXPECT_EQ(got, sent);
}

TEST_F(MachineTest, OutputIsFlushedAtShutdownAndEndOfInputIsNotQuit) {
  make();
  machine_->start();
  close(in_[1]);
  in_[1] = dup(0);
  std::this_thread::sleep_for(20ms);
  EXPECT_FALSE(machine_->stop().stopping());
  for (char c : std::string("last words")) set(kUartBase, static_cast<uint8_t>(c));
  machine_->shutdown();
  EXPECT_EQ(read_output(10), "last words");
}

TEST_F(MachineTest, GuestThatPrintsToABlockedPipeCanBeStopped) {
  make();
  machine_->start();
  std::atomic<uint64_t> written{0};
  constexpr uint64_t kOutputRing = 64 << 10;
  std::thread stopper([&] {
    // Until the writer is stuck: the ring is full, and the pipe too. What that holds depends on how
    // the bytes came: a write that does not fit into the pipe's last page begins another.
    for (uint64_t last = 0; written.load() != last || last <= kOutputRing;) {
      last = written.load();
      std::this_thread::sleep_for(100ms);
    }
    machine_->stop().request(StopReason::Timeout);
  });
  // As the engine does: it waits where it does queued work, which the line says there is.
  while (!machine_->stop().stopping()) {
    set(kUartBase, 'x');
    ++written;
    if (lines() & kLineWork) machine_->platform().run_queued_work(cpu());
  }
  stopper.join();
  EXPECT_GT(written.load(), kOutputRing);
  EXPECT_LT(written.load(), 200'000u);
  close(out_[0]);  // lets shutdown's flush end at once
  out_[0] = dup(0);
}

TEST_F(MachineTest, EscapeKeyQuits) {
  config_.escape_keys = true;
  make();
  machine_->start();
  ASSERT_EQ(write(in_[1], "\1h", 2), 2);
  EXPECT_NE(read_output(20).find("quit"), std::string::npos);
  EXPECT_FALSE(machine_->stop().stopping());
  ASSERT_EQ(write(in_[1], "\1x", 2), 2);
  ASSERT_TRUE(wait_for_line(kLineStop));
  EXPECT_EQ(machine_->stop().state().exit_status(), kExitUserQuit);
}

// More than the device's backlog and the buffer before it.
TEST_F(MachineTest, EscapeKeyIsHeardThoughTheGuestTakesNoInput) {
  config_.escape_keys = true;
  make();
  machine_->start();
  const std::string typed(20'000, 'a');
  ASSERT_EQ(write(in_[1], typed.data(), typed.size()), static_cast<ssize_t>(typed.size()));
  ASSERT_EQ(write(in_[1], "\1x", 2), 2);
  ASSERT_TRUE(wait_for_line(kLineStop));
  EXPECT_EQ(machine_->stop().state().exit_status(), kExitUserQuit);
}

class StateTest : public MachineTest {
 protected:
  StateTest() {
    EXPECT_EQ(pipe(errors_), 0);
    config_.error_fd = errors_[1];
    config_.escape_keys = true;
  }
  ~StateTest() override {
    machine_.reset();
    close(errors_[0]);
    close(errors_[1]);
  }
  void ask() {
    make();
    machine_->start();
    ASSERT_EQ(write(in_[1], "\1i", 2), 2);
    ASSERT_TRUE(wait_for_line(kLineWork));
  }
  std::string printed() {
    pollfd fd{errors_[0], POLLIN, 0};
    char buffer[8192];
    const ssize_t count = poll(&fd, 1, 5000) > 0 ? read(errors_[0], buffer, sizeof buffer) : 0;
    return {buffer, static_cast<size_t>(count)};
  }
  void add_state(const CpuState&, StateReport& report) override {
    report.memory = "by magic";
    report.counts = {{"spells", 17}};
  }
  int errors_[2];
};

TEST_F(StateTest, IsGivenByTheCpu) {
  ask();
  cpu().r[15] = 0x40010034;
  cpu().mode = static_cast<uint8_t>(Mode::Abort);
  cpu().cp15.dfsr = 0x805;
  cpu().cp15.dfar = 0x1234;
  machine_->platform().run_queued_work(cpu());
  const std::string text = printed();
  for (const char* part : {"after 0.", "pc 40010034", "mode abt", "DFSR=805 DFAR=00001234",
                           "translation fault, first level", "write", "by magic", "spells 17", "device reads"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
  EXPECT_EQ(text.find("did not answer"), std::string::npos) << text;
}

TEST_F(StateTest, IsReadWhenTheCpuDoesNotAnswer) {
  ask();
  EXPECT_NE(printed().find("did not answer"), std::string::npos);
}

TEST_F(StateTest, SaysThatTheCpuSleeps) {
  make();
  machine_->start();
  std::thread asker([this] {
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(write(in_[1], "\1i", 2), 2);
  });
  machine_->platform().wait_for_interrupt(cpu());
  asker.join();
  machine_->platform().run_queued_work(cpu());
  EXPECT_NE(printed().find("asleep in WFI"), std::string::npos);
}

TEST_F(MachineTest, DiskRequestThroughTheThreads) {
  std::vector<uint8_t> content(4096);
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<uint8_t>(i / 16);
  const TestFile disk(content);
  config_.disks = {{disk.path(), true}};
  make();
  machine_->start();
  request_disk();
  const GuestRam& ram = machine_->ram();
  ASSERT_TRUE(wait_for_line(kLineWork));
  EXPECT_EQ(*ram.at(0x40002002), 0);  // not published yet
  EXPECT_FALSE(lines() & kLineIrq);
  machine_->platform().run_queued_work(cpu());
  EXPECT_FALSE(lines() & kLineWork);
  EXPECT_TRUE(lines() & kLineIrq);
  EXPECT_EQ(*ram.at(0x40002002), 1);
  EXPECT_EQ(*ram.at(0x40012000), VIRTIO_BLK_S_OK);
  EXPECT_EQ(std::memcmp(ram.at(0x40011000), content.data() + 1024, 1024), 0);
  ASSERT_EQ(written_.size(), 3u);
  EXPECT_EQ(written_[0], (std::pair<uint64_t, uint64_t>{0x40011000, 1024}));
  EXPECT_EQ(written_[1], (std::pair<uint64_t, uint64_t>{0x40012000, 1}));
  EXPECT_EQ(written_[2].first, 0x40002000u);  // the used ring
  StatisticsTable table;
  machine_->shutdown();
  machine_->add_statistics(table);
  EXPECT_NE(table.table().find("bytes read"), std::string::npos);
}

TEST_F(MachineTest, Semihosting) {
  config_.semihosting = {true, "", "prog arg"};
  make();
  machine_->start();
  const GuestRam& ram = machine_->ram();
  const auto put = [&](uint64_t pa, uint32_t value) { std::memcpy(ram.at(pa), &value, 4); };
  const auto word = [&](uint64_t pa) {
    uint32_t value;
    std::memcpy(&value, ram.at(pa), 4);
    return value;
  };
  const auto semihost = [&](uint32_t operation, uint32_t parameter) {
    cpu().r[0] = operation;
    cpu().r[1] = parameter;
    EXPECT_TRUE(machine_->platform().semihosting(cpu()));
    return cpu().r[0];
  };
  const auto text = [&](uint64_t pa, const std::string& value) {
    std::memcpy(ram.at(pa), value.c_str(), value.size() + 1);
  };
  text(0x40001000, "hello ");
  semihost(0x04, 0x40001000);  // SYS_WRITE0
  text(0x40001ffe, "across pages");
  semihost(0x04, 0x40001ffe);
  *ram.at(0x40001100) = '!';
  semihost(0x03, 0x40001100);  // SYS_WRITEC
  EXPECT_EQ(read_output(19), "hello across pages!");
  const auto open = [&](const std::string& name, uint32_t mode) {
    text(0x40003000, name);
    put(0x40000000, 0x40003000);
    put(0x40000004, mode);
    put(0x40000008, static_cast<uint32_t>(name.size()));
    return semihost(0x01, 0x40000000);
  };
  EXPECT_EQ(open("/etc/passwd", 0), 0xffffffffu);  // host files are not allowed
  EXPECT_EQ(semihost(0x13, 0), 13u);               // EACCES
  const uint32_t out = open(":tt", 4);
  put(0x40000000, out);
  put(0x40000004, 0x40001000);
  put(0x40000008, 5);
  EXPECT_EQ(semihost(0x05, 0x40000000), 0u);  // SYS_WRITE
  EXPECT_EQ(read_output(5), "hello");
  EXPECT_EQ(semihost(0x09, 0x40000000), 1u);  // SYS_ISTTY
  put(0x40000004, kFaultingPage);
  EXPECT_EQ(semihost(0x05, 0x40000000), 5u);  // nothing written
  const uint32_t in = open(":tt", 0);
  ASSERT_EQ(write(in_[1], "Z", 1), 1);
  put(0x40000000, in);
  put(0x40000004, 0x40004000);
  put(0x40000008, 10);
  EXPECT_EQ(semihost(0x06, 0x40000000), 9u);  // SYS_READ: one byte came
  EXPECT_EQ(*ram.at(0x40004000), 'Z');
  put(0x40000000, 0x40004000);
  put(0x40000004, 100);
  EXPECT_EQ(semihost(0x15, 0x40000000), 0u);  // SYS_GET_CMDLINE
  EXPECT_STREQ(reinterpret_cast<const char*>(ram.at(0x40004000)), "prog arg");
  EXPECT_EQ(word(0x40000004), 8u);
  put(0x40000000, 0x40004000);
  EXPECT_EQ(semihost(0x16, 0x40000000), 0u);  // SYS_HEAPINFO
  EXPECT_GE(word(0x40004000), 0x40000000u);
  EXPECT_EQ(word(0x40004004), 0x41000000u);
  EXPECT_EQ(semihost(0x31, 0), 62'500'000u);
  EXPECT_EQ(semihost(0x30, 0x40004000), 0u);
  EXPECT_EQ(semihost(0x30, 0x10), 0xffffffffu);  // not RAM
  EXPECT_EQ(semihost(0x06, 0xfffffffc), 0xffffffffu);
  EXPECT_EQ(semihost(0xabcd, 0), 0xffffffffu);
  put(0x40000000, 99);
  EXPECT_EQ(semihost(0x02, 0x40000000), 0xffffffffu);
  put(0x40000000, 0x20026);
  put(0x40000004, 42);
  semihost(0x20, 0x40000000);  // SYS_EXIT_EXTENDED
  EXPECT_EQ(machine_->stop().state().exit_status(), 42);
}

// A reader that stops reading does not keep the CPU's thread when the machine ends.
TEST_F(MachineTest, SemihostingOutputEndsWithTheMachine) {
  int errors[2];
  ASSERT_EQ(pipe(errors), 0);
  config_.error_fd = errors[1];
  config_.semihosting = {true, "", ""};
  for (const uint32_t mode : {4u, 8u}) {  // standard output and standard error
    make();
    machine_->start();
    const auto put = [&](uint64_t pa, uint32_t value) { std::memcpy(machine_->ram().at(pa), &value, 4); };
    const auto semihost = [&](uint32_t operation) {
      cpu().r[0] = operation;
      cpu().r[1] = 0x40000000;
      EXPECT_TRUE(machine_->platform().semihosting(cpu()));
      return cpu().r[0];
    };
    std::memcpy(machine_->ram().at(0x40003000), ":tt", 3);
    put(0x40000000, 0x40003000);
    put(0x40000004, mode);
    put(0x40000008, 3);
    put(0x40000000, semihost(0x01));
    put(0x40000004, 0x40100000);
    put(0x40000008, 8 << 20);
    *machine_->ram().at(0x40100000) = '#';
    std::thread stopper([&] {
      std::this_thread::sleep_for(200ms);
      machine_->stop().request(StopReason::UserQuit);
    });
    EXPECT_GT(semihost(0x05), 0u);
    EXPECT_TRUE(machine_->stop().stopping());
    stopper.join();
    char first = 0;
    EXPECT_EQ(read(mode == 4 ? out_[0] : errors[0], &first, 1), 1);
    EXPECT_EQ(first, '#');
  }
  for (const int fd : errors) close(fd);
}

TEST_F(MachineTest, SemihostingInputEndsWithTheMachineAndWithTheInput) {
  config_.semihosting = {true, "", ""};
  make();
  machine_->start();
  const auto read_byte = [&] {
    cpu().r[0] = 0x07;  // SYS_READC
    EXPECT_TRUE(machine_->platform().semihosting(cpu()));
    return cpu().r[0];
  };
  ASSERT_EQ(write(in_[1], "ab", 2), 2);
  EXPECT_EQ(read_byte(), uint32_t{'a'});
  EXPECT_EQ(read_byte(), uint32_t{'b'});
  std::thread stopper([&] {
    std::this_thread::sleep_for(100ms);
    machine_->stop().request(StopReason::UserQuit);
  });
  EXPECT_EQ(read_byte(), 0xffffffffu);
  EXPECT_TRUE(machine_->stop().stopping());
  stopper.join();
  make();
  machine_->start();
  ASSERT_EQ(write(in_[1], "c", 1), 1);
  close(std::exchange(in_[1], -1));
  EXPECT_EQ(read_byte(), uint32_t{'c'});
  EXPECT_EQ(read_byte(), 0xffffffffu);
  EXPECT_FALSE(machine_->stop().stopping());
}

// Disks are where QEMU has them; the console is there only when it is wanted.
TEST_F(MachineTest, VirtioSlots) {
  const TestFile first(std::vector<uint8_t>(512)), second(std::vector<uint8_t>(1024));
  config_.disks = {{first.path()}, {second.path()}};
  const auto slots = [&] {
    std::string ids;
    for (unsigned slot = 0; slot < kVirtioSlots; ++slot) {
      const uint32_t id = get(kVirtioBase + slot * kVirtioStride + 8);
      if (id) ids += std::to_string(slot) + ":" + std::to_string(id) + " ";
    }
    return ids;
  };
  make();
  EXPECT_EQ(slots(), "29:4 30:2 31:2 ");
  EXPECT_EQ(get(kVirtioBase + 30 * kVirtioStride + 0x100), 1u);
  EXPECT_EQ(get(kVirtioBase + 31 * kVirtioStride + 0x100), 2u);
  machine_.reset();
  config_.virtio_console = true;
  make();
  EXPECT_EQ(slots(), "28:3 29:4 30:2 31:2 ");
  machine_.reset();
  config_.network.kind = NetKind::User;
  make();
  EXPECT_EQ(slots(), "27:1 28:3 29:4 30:2 31:2 ");
  machine_.reset();
  config_.virtio_console = false;
  make();
  EXPECT_EQ(slots(), "28:1 29:4 30:2 31:2 ");
  machine_.reset();
  config_.shares = {{"/tmp", "a", true}, {"/", "bb", true}};
  make();
  EXPECT_EQ(slots(), "26:9 27:9 28:1 29:4 30:2 31:2 ");
  EXPECT_EQ(get(kVirtioBase + 27 * kVirtioStride + 0x100), 1u | 'a' << 16);
  EXPECT_FALSE(machine_->board().has_share_session());
  machine_.reset();
  config_.network.kind = NetKind::None;
  make();
  EXPECT_EQ(slots(), "27:9 28:9 29:4 30:2 31:2 ");
}

TEST_F(MachineTest, SameDiskTwiceIsAnError) {
  const TestFile disk(std::vector<uint8_t>(512));
  config_.disks = {{disk.path()}, {disk.path()}};
  auto made = Machine::create(config_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().find(disk.path()), std::string::npos);
  config_.disks = {{disk.path(), true}, {disk.path(), true}};
  make();
}

TEST_F(MachineTest, SemihostingOffIsNotHandled) {
  make();
  cpu().r[0] = 0x18;
  EXPECT_FALSE(machine_->platform().semihosting(cpu()));
  EXPECT_FALSE(machine_->stop().stopping());
}

TEST_F(MachineTest, BootRegisters) {
  make();
  const TestFile kernel({1, 2, 3, 4});
  ASSERT_TRUE(machine_->load({kernel.path(), "", "x", "", "arm,cortex-a15"}));
  machine_->set_boot_registers(cpu());
  EXPECT_EQ(cpu().r[15], 0x40010000u);
  EXPECT_EQ(cpu().r[1], 0xffffffffu);
  EXPECT_EQ(cpu().r[2], 0x40800000u);
  EXPECT_FALSE(machine_->load({"/nonexistent", "", "", "", ""}));
}

TEST_F(MachineTest, HasOneToEightCpus) {
  for (const unsigned cpus : {0u, 9u}) {
    config_.cpus = cpus;
    auto made = Machine::create(config_);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().find("cannot have " + std::to_string(cpus)), std::string::npos);
  }
}

TEST_F(MachineTest, BadDiskIsAnError) {
  config_.disks = {{"/nonexistent", false}};
  auto made = Machine::create(config_);
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().find("--disk"), std::string::npos);
}

// In a child with a pseudo-terminal: the terminal is raw while the object lives, and restored even
// by SIGKILL.
TEST(RawTerminal, IsRestoredOnEveryWayOut) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(master, 0);
  ASSERT_EQ(grantpt(master), 0);
  ASSERT_EQ(unlockpt(master), 0);
  const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  ASSERT_GE(slave, 0);
  const auto is_raw = [&] {
    termios now;
    EXPECT_EQ(tcgetattr(slave, &now), 0);
    return !(now.c_lflag & ICANON);
  };
  EXPECT_FALSE(is_raw());
  {
    const RawTerminal terminal(slave);
    EXPECT_TRUE(terminal.active());
    EXPECT_TRUE(is_raw());
  }
  EXPECT_FALSE(is_raw());
  const pid_t child = fork();
  if (child == 0) {
    const RawTerminal terminal(slave);
    pause();
    _exit(0);
  }
  EXPECT_TRUE(eventually(is_raw));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !is_raw(); }));
  const RawTerminal nothing(-1);
  EXPECT_FALSE(nothing.active());
  close(slave);
  close(master);
}

}  // namespace
}  // namespace crosswalk::vmm
