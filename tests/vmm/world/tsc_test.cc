// SPDX-License-Identifier: GPL-2.0-or-later
// RDTSC inside the VM stays RDTSC outside. What KVM does when the host's TSC restarts, which is to
// change the offset, is done here through the VCPU's own file descriptor.
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/vmm/world/fixture.h"

namespace crosswalk::test {
namespace {

constexpr int64_t kMoved = int64_t{1} << 44;

int vcpu_descriptor() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.string().rfind("anon_inode:kvm-vcpu", 0) == 0) return std::stoi(entry.path().filename());
  }
  return -1;
}

class Tsc : public KvmTest {
 public:
  void SetUp() override {
    KvmTest::SetUp();
    if (IsSkipped()) return;
    world_ = make_world();
    ASSERT_NE(world_, nullptr);
    if (!world_->tsc_is_exact()) GTEST_SKIP() << "this KVM's TSC is not the host's";
    attribute_.group = KVM_VCPU_TSC_CTRL;
    attribute_.attr = KVM_VCPU_TSC_OFFSET;
    attribute_.addr = reinterpret_cast<uint64_t>(&offset_);
    descriptor_ = vcpu_descriptor();
    if (ioctl(descriptor_, KVM_GET_DEVICE_ATTR, &attribute_) != 0) GTEST_SKIP() << "this KVM has no TSC offset";
    original_ = offset_;
    move();
    const bool moves = offset() == original_ + kMoved;
    offset_ = original_;
    ASSERT_EQ(ioctl(descriptor_, KVM_SET_DEVICE_ATTR, &attribute_), 0);
    if (!moves) GTEST_SKIP() << "this KVM's VMs always have the host's TSC";
  }
  int64_t offset() {
    EXPECT_EQ(ioctl(descriptor_, KVM_GET_DEVICE_ATTR, &attribute_), 0);
    return offset_;
  }
  void move() {
    offset_ = original_ + kMoved;
    EXPECT_EQ(ioctl(descriptor_, KVM_SET_DEVICE_ATTR, &attribute_), 0);
  }
  static bool moved(uint64_t since) { return __builtin_ia32_rdtsc() - since >= uint64_t{kMoved}; }

  std::unique_ptr<kvm::KvmWorld> world_;
  kvm_device_attr attribute_{};
  int64_t offset_ = 0, original_ = 0;
  int descriptor_ = -1;
};

TEST_F(Tsc, IsPutBackWhenASignalEndsTheRun) {
  // A host that is suspended interrupts every thread.
  struct sigaction action = {}, old = {};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, &old);
  std::atomic<bool> stop{false};
  const pthread_t self = pthread_self();
  std::atomic<bool> go{false};
  std::thread interrupter([&] {
    while (!go) std::this_thread::yield();
    while (!stop) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      pthread_kill(self, SIGUSR1);
    }
  });
  bool back = false;
  const auto function = world_->host_functions().add(
      [](void* test, const kvm::HostFunctions::Arguments&) -> uint64_t {
        static_cast<Tsc*>(test)->move();
        return 0;
      },
      this);
  const uint64_t before = world_->counters().interrupted;
  run_in(*world_, [&] {
    const uint64_t start = __builtin_ia32_rdtsc();
    world_->host_call(function);
    go = true;
    for (uint64_t i = 0; i < 5'000'000; ++i) __builtin_ia32_pause();
    back = !moved(start);
  });
  stop = true;
  interrupter.join();
  sigaction(SIGUSR1, &old, nullptr);
  EXPECT_GT(world_->counters().interrupted, before);
  EXPECT_TRUE(back);
  EXPECT_EQ(offset(), original_);
}

TEST_F(Tsc, IsPutBackAfterALongStayOutside) {
  bool back = false;
  const auto function = world_->host_functions().add(
      [](void* test, const kvm::HostFunctions::Arguments& arguments) -> uint64_t {
        static_cast<Tsc*>(test)->move();
        while (__builtin_ia32_rdtsc() - arguments[0] <= uint64_t{1} << 33) usleep(10'000);
        return 0;
      },
      this);
  run_in(*world_, [&] {
    const uint64_t start = __builtin_ia32_rdtsc();
    world_->host_call(function, {start});
    back = !moved(start);
  });
  EXPECT_TRUE(back);
  EXPECT_EQ(offset(), original_);
}

}  // namespace
}  // namespace crosswalk::test
