// SPDX-License-Identifier: GPL-2.0-or-later
// What the KVM tests share: a skip where there is no KVM, and guest RAM.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "mmu-shadow/mmu.h"
#include "translator/arm32/cpu/platform.h"
#include "vmm/world/kvm/ept_backend.h"
#include "vmm/world/kvm/kvm_world.h"
#include "vmm/world/kvm/shadow_backend.h"

namespace crosswalk::test {

class KvmTest : public testing::Test {
 protected:
  void SetUp() override {
    if (auto usable = kvm::check_kvm(); !usable) GTEST_SKIP() << "needs KVM: " << usable.error();
  }
};

inline std::unique_ptr<kvm::KvmWorld> make_world(const kvm::KvmOptions& options = {}) {
  auto made = kvm::KvmWorld::create(options);
  if (made) return std::move(*made);
  ADD_FAILURE() << made.error();
  return nullptr;
}

inline std::unique_ptr<mmu::WindowBackend> make_shadow(kvm::KvmWorld& world, const GuestRam& ram, unsigned windows) {
  auto made = kvm::make_shadow_backend(world, ram, windows);
  if (made) return std::move(*made);
  ADD_FAILURE() << made.error();
  return nullptr;
}

// Precondition: the RAM is in a memfd.
inline std::unique_ptr<mmu::WindowBackend> make_mmap(const GuestRam& ram) {
  return std::move(*mmu::make_mmap_backend(ram));
}
inline std::unique_ptr<mmu::WindowBackend> make_ept(kvm::KvmWorld& world, const GuestRam& ram) {
  return kvm::make_ept_backend(world, make_mmap(ram));
}

// Runs a callable in a world, with `fault(FaultFrame&) -> bool` as its fault handler.
template <class Entry, class Fault>
void run_in(engine::World& world, Entry entry, Fault fault) {
  world.run([](void* e) { (*static_cast<Entry*>(e))(); }, &entry,
            [](void* f, engine::FaultFrame& frame) -> bool { return (*static_cast<Fault*>(f))(frame); }, &fault);
}
template <class Entry>
void run_in(engine::World& world, Entry entry) {
  run_in(world, entry, [](engine::FaultFrame&) { return false; });
}

class TestRam {
 public:
  explicit TestRam(uint64_t bytes) {
    ram.size = bytes;
    ram.fd = memfd_create("test-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ram.fd < 0 || ftruncate(ram.fd, static_cast<off_t>(bytes)) != 0) std::abort();
    fcntl(ram.fd, F_ADD_SEALS, F_SEAL_SHRINK);
    // 2 MiB aligned, so that 2 MiB entries are possible.
    reserved_ = bytes + (2 << 20);
    reservation_ = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reservation_ == MAP_FAILED) std::abort();
    const uint64_t start = (reinterpret_cast<uint64_t>(reservation_) + (2 << 20) - 1) & ~uint64_t{(2 << 20) - 1};
    void* p = mmap(reinterpret_cast<void*>(start), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram.fd, 0);
    if (p == MAP_FAILED) std::abort();
    ram.host = static_cast<uint8_t*>(p);
  }
  ~TestRam() {
    munmap(reservation_, reserved_);
    close(ram.fd);
  }
  TestRam(const TestRam&) = delete;
  TestRam& operator=(const TestRam&) = delete;
  GuestRam ram;

 private:
  void* reservation_;
  uint64_t reserved_;
};

}  // namespace crosswalk::test
