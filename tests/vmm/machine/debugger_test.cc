// SPDX-License-Identifier: GPL-2.0-or-later
// A debugger's socket, and CPUs that stop for it; each CPU is a thread that does what is queued.
#include "vmm/machine/debug/debugger.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/limits.h"
#include "vmm/debugger/packet.h"
#include "vmm/machine/board/memory_map.h"
#include "vmm/machine/loader/guest_memory.h"

namespace crosswalk::vmm {
namespace {

using namespace std::chrono_literals;
using test::eventually;

std::string socket_path(const char* name) {
  return testing::TempDir() + "crosswalk-" + std::to_string(getpid()) + "-" + name;
}

int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const timeval patience{60, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

TEST(ListenAddress, Texts) {
  const auto tcp = [](const std::string& text) {
    auto address = parse_listen_address(text);
    return address ? address->host + " " + address->port : address.error();
  };
  EXPECT_EQ(tcp("1234"), "127.0.0.1 1234");
  EXPECT_EQ(tcp(":1234"), "127.0.0.1 1234");
  EXPECT_EQ(tcp("tcp::1234"), "127.0.0.1 1234");
  EXPECT_EQ(tcp("0.0.0.0:1"), "0.0.0.0 1");
  EXPECT_EQ(tcp("[::1]:65535"), "::1 65535");
  auto path = parse_listen_address("unix:/tmp/socket");
  ASSERT_TRUE(path);
  EXPECT_EQ(path->path, "/tmp/socket");
  for (const char* text : {"", "unix:", "x", "host:", "1:65536", "99999999999999999999", "-1", "tcp:"})
    EXPECT_FALSE(parse_listen_address(text)) << text;
}

TEST(Listen, SocketsInTheFileSystem) {
  const std::string path = socket_path("listen");
  auto first = listen_at({path, "", ""}, "--gdb");
  ASSERT_TRUE(first) << first.error();
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  // Somebody listens there.
  auto second = listen_at({path, "", ""}, "--gdb");
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().starts_with("--gdb: another process serves '" + path)) << second.error();
  close(*first);
  // Nobody does any more.
  auto third = listen_at({path, "", ""}, "--gdb");
  ASSERT_TRUE(third) << third.error();
  close(*third);
  unlink(path.c_str());
  EXPECT_FALSE(listen_at({"/nowhere/socket", "", ""}, "--gdb"));
  EXPECT_FALSE(listen_at({std::string(200, 'x'), "", ""}, "--gdb"));
}

TEST(Listen, TakenPorts) {
  auto first = listen_at({"", "127.0.0.1", "0"}, "--gdb");
  ASSERT_TRUE(first) << first.error();
  EXPECT_FALSE(listen_at({"", "192.0.2.1", "1"}, "--gdb"));  // no address of this host
  close(*first);
}

TEST(SystemCounter, StandsStillAndGoesOn) {
  SystemCounter counter;
  counter.stand_still();
  const uint64_t still = counter.nanoseconds();
  std::this_thread::sleep_for(30ms);
  EXPECT_EQ(counter.nanoseconds(), still);
  counter.go_on();
  EXPECT_LT(counter.nanoseconds() - still, uint64_t{30'000'000});
  const uint64_t gone = counter.nanoseconds();
  EXPECT_TRUE(eventually([&] { return counter.nanoseconds() > gone; }));
}

// The machine's parts that a debugger needs, and two CPUs whose threads poll for ever. CPU 1 is off
// until switch_on().
class DebuggerTest : public testing::Test {
 protected:
  DebuggerTest()
      : memory_(std::move(*GuestMemory::allocate(16 << 20, false))),
        stop_([this](bool) {
          for (const auto& cpu : vcpus_) cpu->raise(kLineStop);
        }),
        rendezvous_(2, [this](unsigned cpu) { vcpus_[cpu].raise(kLineWork); }),
        holds_(vcpus_, rendezvous_),
        completions_(device_lock_, vcpus_, rendezvous_, stop_),
        console_(-1, -1, false, 1),
        reporter_(vcpus_, rendezvous_, counter_, completions_, console_) {
    timers_.attach(gic_, rtc_);
  }

  void start(bool wait) {
    debugger_.emplace(DebuggerConfig{{socket_path("debugger"), "", ""}, wait},
                      DebugPorts{device_lock_, vcpus_, rendezvous_, holds_, timers_, reporter_, stop_, memory_.ram()});
    auto opened = debugger_->open();
    ASSERT_TRUE(opened) << opened.error();
    debugger_->start(nullptr);
    threads_[0] = std::thread([this] { run(0, false); });
    threads_[1] = std::thread([this] {
      while (!vcpus_[1].wait_for_power() && !stop_.stopping()) {
        rendezvous_.serve(vcpus_[1].state());
        holds_.serve(vcpus_[1].state());
      }
      run(1, true);
    });
  }
  void TearDown() override {
    stop_.request(StopReason::PowerOff);
    for (std::thread& thread : threads_)
      if (thread.joinable()) thread.join();
    rendezvous_.close();
    debugger_.reset();
    unlink(socket_path("debugger").c_str());
  }
  // A CPU that executes nothing; `steps` counts its polls.
  void run(unsigned index, bool switched_on) {
    CpuState& cpu = vcpus_[index].state();
    holds_.begin(cpu);
    debugger_->stops().begin(cpu, switched_on);
    while (!(vcpus_[index].lines() & kLineStop)) {
      if (vcpus_[index].lines() & kLineWork) {
        rendezvous_.serve(cpu);
        debugger_->stops().serve(cpu);
        continue;
      }
      ++steps_[index];
      std::this_thread::yield();
    }
  }

  static std::string ask(int fd, const std::string& payload) {
    const std::string packet = make_packet(payload);
    if (send(fd, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) return "(not sent)";
    return receive(fd);
  }
  static std::string receive(int fd) {
    PacketReader reader;
    for (char byte; recv(fd, &byte, 1, 0) == 1;) {
      std::string_view bytes(&byte, 1);
      if (const auto event = reader.next(bytes); event && event->kind == PacketReader::Event::Packet)
        return event->payload;
    }
    return "(closed)";
  }
  bool runs(unsigned cpu) {
    const uint64_t before = steps_[cpu];
    return eventually([&] { return steps_[cpu] != before; });
  }

  GuestMemory memory_;
  std::mutex device_lock_;
  SystemCounter counter_;
  Vcpus vcpus_{2};
  StopSwitch stop_;
  Rendezvous rendezvous_;
  CpuHolds holds_;
  CompletionQueue completions_;
  GicV2 gic_{2, vcpus_};
  Timers timers_{counter_, device_lock_, vcpus_, {}};
  Pl031 rtc_{timers_, gic_, kFirstSpi + kRtcSpi};
  Console console_;
  StateReporter reporter_;
  std::optional<Debugger> debugger_;
  std::atomic<uint64_t> steps_[2] = {};
  std::thread threads_[2];
};

TEST_F(DebuggerTest, ConnectionsStopTheCpusAndTime) {
  start(false);
  EXPECT_TRUE(runs(0));
  const int fd = connect_to(socket_path("debugger"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ask(fd, "?"), "T02thread:1;");
  const uint64_t steps = steps_[0], time = counter_.nanoseconds();
  EXPECT_EQ(ask(fd, "Pf=04000000"), "OK");
  EXPECT_EQ(vcpus_[0].state().r[15], 4u);
  EXPECT_EQ(from_hex(ask(fd, "qThreadExtraInfo,2")), "CPU 1, off");
  EXPECT_EQ(ask(fd, "M40000000,4:01020304"), "OK");
  EXPECT_EQ(ask(fd, "m40000000,4"), "01020304");
  EXPECT_TRUE(eventually([&] { return reporter_.ask().find("stopped by the debugger") != std::string::npos; }));
  EXPECT_EQ(steps_[0], steps);
  EXPECT_EQ(counter_.nanoseconds(), time);
  EXPECT_EQ(ask(fd, "vCont;s:2"), "T02thread:1;");  // it is off
  EXPECT_EQ(ask(fd, "D"), "OK");
  EXPECT_EQ(receive(fd), "(closed)");
  EXPECT_TRUE(runs(0));
  close(fd);
}

TEST_F(DebuggerTest, WaitsBeforeTheFirstInstruction) {
  start(true);
  const int fd = connect_to(socket_path("debugger"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ask(fd, "?"), "T02thread:1;");
  EXPECT_EQ(steps_[0], 0u);
  const std::string go = make_packet("vCont;c");
  ASSERT_GT(send(fd, go.data(), go.size(), 0), 0);
  EXPECT_TRUE(runs(0));
  // A connection that is lost is as good as detached, also while the CPUs run.
  close(fd);
  EXPECT_TRUE(runs(0));
  const int again = connect_to(socket_path("debugger"));
  EXPECT_EQ(ask(again, "?"), "T02thread:1;");
  close(again);
  EXPECT_TRUE(runs(0));
}

TEST_F(DebuggerTest, ACpuThatIsSwitchedOnStops) {
  start(false);
  const int fd = connect_to(socket_path("debugger"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ask(fd, "?"), "T02thread:1;");
  ASSERT_TRUE(vcpus_[1].switch_on({0x1000, 0}));
  EXPECT_TRUE(eventually([&] { return vcpus_[1].power() == CpuPower::On; }));
  EXPECT_EQ(ask(fd, "Hg2"), "OK");
  EXPECT_EQ(ask(fd, "P0=07000000"), "OK");
  EXPECT_EQ(steps_[1], 0u);
  close(fd);
  EXPECT_TRUE(runs(1));
}

// A pause, as the control socket has it.
class Paused {
 public:
  Paused(CpuHolds& holds, Timers& timers, std::mutex& lock) : hold_(holds, Hold::Pause), timers_(timers), lock_(lock) {
    complete = hold_.wait(test::patience());
    const std::lock_guard guard(lock_);
    timers_.hold(Hold::Pause);
  }
  ~Paused() {
    const std::lock_guard guard(lock_);
    timers_.release(Hold::Pause);
  }
  bool complete;

 private:
  HoldOfAll hold_;
  Timers& timers_;
  std::mutex& lock_;
};

TEST_F(DebuggerTest, ConnectsToAPausedGuest) {
  start(false);
  ASSERT_TRUE(vcpus_[1].switch_on({0x1000, 0}));
  ASSERT_TRUE(runs(0) && runs(1));
  auto pause = std::make_unique<Paused>(holds_, timers_, device_lock_);
  ASSERT_TRUE(pause->complete);
  const uint64_t steps[] = {steps_[0], steps_[1]}, time = counter_.nanoseconds();
  const int fd = connect_to(socket_path("debugger"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ask(fd, "?"), "T02thread:1;");
  EXPECT_EQ(ask(fd, "Hg2"), "OK");
  EXPECT_EQ(ask(fd, "Pf=04000000"), "OK");
  // It lets the guest go on, which stays paused.
  const std::string go = make_packet("vCont;c");
  ASSERT_GT(send(fd, go.data(), go.size(), 0), 0);
  EXPECT_TRUE(eventually([&] { return !timers_.is_held(Hold::Debugger); }));
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(steps_[0], steps[0]);
  EXPECT_EQ(steps_[1], steps[1]);
  EXPECT_EQ(counter_.nanoseconds(), time);
  // Ctrl-C is answered, and then it is the debugger that holds the guest.
  ASSERT_EQ(send(fd, "\x03", 1, 0), 1);
  EXPECT_EQ(receive(fd), "T02thread:1;");
  pause.reset();
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(steps_[0], steps[0]);
  EXPECT_EQ(steps_[1], steps[1]);
  EXPECT_EQ(counter_.nanoseconds(), time);
  EXPECT_EQ(ask(fd, "D"), "OK");
  EXPECT_TRUE(runs(0) && runs(1));
  EXPECT_TRUE(eventually([&] { return counter_.nanoseconds() > time; }));
  close(fd);
}

TEST_F(DebuggerTest, PauseWhileItHoldsTheGuest) {
  start(false);
  ASSERT_TRUE(vcpus_[1].switch_on({0x1000, 0}));
  ASSERT_TRUE(runs(0) && runs(1));
  const int fd = connect_to(socket_path("debugger"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ask(fd, "?"), "T02thread:1;");
  const uint64_t steps[] = {steps_[0], steps_[1]}, time = counter_.nanoseconds();
  auto pause = std::make_unique<Paused>(holds_, timers_, device_lock_);
  ASSERT_TRUE(pause->complete);
  EXPECT_EQ(ask(fd, "P0=07000000"), "OK");
  EXPECT_EQ(vcpus_[0].state().r[0], 7u);
  EXPECT_EQ(ask(fd, "D"), "OK");
  EXPECT_TRUE(eventually([&] { return !timers_.is_held(Hold::Debugger); }));
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(steps_[0], steps[0]);
  EXPECT_EQ(steps_[1], steps[1]);
  EXPECT_EQ(counter_.nanoseconds(), time);
  pause.reset();
  EXPECT_TRUE(runs(0) && runs(1));
  EXPECT_TRUE(eventually([&] { return counter_.nanoseconds() > time; }));
  close(fd);
}

TEST_F(DebuggerTest, TheEndOfTheRunIsTold) {
  start(false);
  const int fd = connect_to(socket_path("debugger"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(ask(fd, "?"), "T02thread:1;");
  stop_.request(StopReason::Reset);
  debugger_->finish();
  EXPECT_EQ(receive(fd), "W03");
  close(fd);
}

}  // namespace
}  // namespace crosswalk::vmm
