// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/engine/guest.h"

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "tests/limits.h"
#include "translator/arm32/cpu/cp15_functions.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/reset.h"
#include "translator/arm32/cpu/system_bits.h"
#include "vmm/world/kvm/ept_backend.h"
#include "vmm/world/kvm/kvm_api.h"
#include "vmm/world/kvm/kvm_world.h"
#include "vmm/world/kvm/shadow_backend.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::test {
namespace {

constexpr uint32_t kSection = 1 << 20;
constexpr unsigned kSpaces = 16;

bool needs_kvm(Windows windows) { return windows != Windows::Mmap; }

// ARM DDI 0406C, B3.5.1. Normal memory is TEX=001 C=1 B=1; Device is TEX=000 C=0 B=1. AP[2:0] =
// 011: all may read and write.
uint32_t ram_section(uint32_t pa) { return pa | 1 << 12 | 3 << 10 | 1 << 3 | 1 << 2 | 2; }
uint32_t device_section(uint32_t pa) { return pa | 3 << 10 | 1 << 4 | 1 << 2 | 2; }

// Does something after a time unless it is destroyed before.
class Delayed {
 public:
  Delayed(std::chrono::milliseconds after, std::function<void()> action)
      : thread_([this, after, action = std::move(action)] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, after, [this] { return cancelled_; })) action();
        }) {}
  ~Delayed() {
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool cancelled_ = false;
  std::thread thread_;
};

}  // namespace

Guest::Guest(GuestConfig config, const mmu::MmuConfig& limits, mmu::HostMap map) {
  ram_.base = kRam;
  ram_.size = kRamBytes;
  ram_.fd = memfd_create("guest-ram", MFD_CLOEXEC);
  if (ram_.fd < 0 || ftruncate(ram_.fd, kRamBytes) != 0) std::abort();
  constexpr uint64_t kAlign = 2 << 20;
  reservation_ = mmap(nullptr, kRamBytes + kAlign, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reservation_ == MAP_FAILED) std::abort();
  void* const aligned =
      reinterpret_cast<void*>((reinterpret_cast<uint64_t>(reservation_) + kAlign - 1) & ~(kAlign - 1));
  ram_.host =
      static_cast<uint8_t*>(mmap(aligned, kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram_.fd, 0));
  if (ram_.host == MAP_FAILED) std::abort();

  kvm::KvmWorld* kvm_world = nullptr;
  if (needs_kvm(config.windows)) {
    auto made = kvm::KvmWorld::create({});
    if (!made) throw std::runtime_error(made.error());
    kvm_world = made->get();
    world_ = std::move(*made);
  } else {
    world_ = std::move(*vmm::make_process_world());
  }
  switch (config.windows) {
    case Windows::Mmap:
      if (config.mode.has_windows()) backend_ = std::move(*mmu::make_mmap_backend(ram_, 0, map));
      break;
    case Windows::Ept: backend_ = kvm::make_ept_backend(*kvm_world, std::move(*mmu::make_mmap_backend(ram_))); break;
    case Windows::Shadow: {
      auto made = kvm::make_shadow_backend(*kvm_world, ram_, kSpaces);
      if (!made) throw std::runtime_error(made.error());
      backend_ = std::move(*made);
      break;
    }
  }
  config.verify_ir = true;
  translations_ = std::move(*engine::Translations::create(config));
  if (kvm_world) {
    auto added = kvm_world->add_code(translations_->code().data(), translations_->code().size());
    if (!added) throw std::runtime_error(added.error());
  }
  mmu::MmuConfig mmu_config = limits;
  mmu_config.mode = config.mode;
  mmu_config.max_spaces = kSpaces;
  // Every space gets its window as soon as it has run, and goes back to a software TLB soon: beyond
  // 1, the share makes both look profitable, whatever they cost.
  mmu_config.costs.lookup_share[0] = mmu_config.costs.lookup_share[1] = 1e9;
  mmu_config.costs.judge_after = mmu_config.costs.window_fault = mmu_config.costs.window_flush = 0;
  mmu_config.costs.accesses_of_entry = -1'000;  // not in a window from the start
  mmu_ = std::move(*mmu::make_mmu(mmu_config, ram_, *translations_, backend_.get()));
  arm::reset_cpu(cpu, arm::CpuModel::CortexA15);

  for (const uint32_t table : {kTableA, kTableB}) {
    for (uint32_t pa = kRam; pa < kRam + kRamBytes; pa += kSection) write32(table + (pa >> 20) * 4, ram_section(pa));
    write32(table + (kDevice >> 20) * 4, device_section(kDevice));
  }
  for (uint32_t v = 0; v < 8; v++) write32(kVectors + 4 * v, kHvc);
  cpu.cp15.vbar = kVectors;
  cpu.cp15.ttbr0 = kTableA;
  cpu.cp15.ttbcr = 0;
  cpu.cp15.dacr = 1;  // domain 0: client
  cpu.cp15.contextidr = 0;
  cpu.cp15.sctlr |= arm::kSctlrM | arm::kSctlrC | arm::kSctlrI;
  arm::update_strict_alignment(cpu);
  cpu.cp15.cpacr = 0xf00000;
  cpu.fpexc = arm::kFpexcEn;
  arm::update_fp_mode(cpu);
  engine_ = std::make_unique<engine::Engine>(config, *translations_, *mmu_, cpu, *this);
}

Guest::~Guest() {
  engine_.reset();
  mmu_.reset();
  backend_.reset();
  world_.reset();
  munmap(reservation_, kRamBytes + (2 << 20));
  close(ram_.fd);
}

void Guest::words(uint32_t pa, std::span<const uint32_t> w) { std::memcpy(ram_.at(pa), w.data(), w.size_bytes()); }
void Guest::halves(uint32_t pa, std::initializer_list<uint16_t> h) {
  std::memcpy(ram_.at(pa), h.begin(), h.size() * 2);
}
void Guest::write32(uint32_t pa, uint32_t v) { std::memcpy(ram_.at(pa), &v, 4); }
uint32_t Guest::read32(uint32_t pa) const {
  uint32_t v;
  std::memcpy(&v, ram_.at(pa), 4);
  return v;
}
void Guest::device_write32(uint32_t pa, uint32_t v) {
  write32(pa, v);
  mmu_->note_external_write(pa, 4);
}

uint32_t Guest::page(uint32_t pa, uint32_t flags) {
  // B3.5.1: AP[2] is bit 9, AP[1:0] bits 5:4, nG bit 11, XN bit 0.
  const uint32_t ap = flags & kPrivileged ? 1 : 3;
  return (pa & ~0xfffu) | (flags & kNotGlobal ? 1u << 11 : 0) | (flags & kReadOnly ? 1u << 9 : 0) | 1 << 6 | ap << 4 |
         1 << 3 | 1 << 2 | 2 | (flags & kExecuteNever ? 1u : 0);
}

uint32_t Guest::entry(uint32_t va, uint32_t table) {
  const uint32_t first = table + (va >> 20) * 4;
  if (read32(first) == 0) {
    write32(first, next_table_ | 1);
    next_table_ += 0x400;
  }
  return (read32(first) & ~0x3ffu) + (va >> 12 & 0xff) * 4;
}

void Guest::run(uint32_t pc) {
  cpu.r[15] = pc & ~1u;
  cpu.t = pc & 1;
  cpu.it = 0;
  cpu.exit_reason = 0;
  resume();
}

void Guest::resume() {
  lower_line(cpu, kLineStop);
  bool timed_out = false;
  {
    std::unique_ptr<Delayed> interrupt;
    if (raise_line_) {
      interrupt = std::make_unique<Delayed>(std::chrono::milliseconds(raise_after_),
                                            [this, line = raise_line_] { raise_line(cpu, line); });
      raise_line_ = 0;
    }
    const Delayed watchdog(patience(), [&] {
      timed_out = true;
      raise_line(cpu, kLineStop);
    });
    world_->run([](void* e) { static_cast<engine::Engine*>(e)->run(); }, engine_.get(), &engine::Engine::handle_fault,
                engine_.get());
  }
  EXPECT_FALSE(timed_out) << "the guest did not stop; pc = " << std::hex << cpu.r[15];
}

Guest::Saved Guest::save() const { return {cpu, {ram_.host, ram_.host + kRamBytes}}; }

void Guest::restore(const Saved& saved) {
  static_cast<GuestCpu&>(cpu) = saved.cpu;
  std::memcpy(ram_.host, saved.ram.data(), kRamBytes);
  engine_->guest_replaced();
}

Exception Guest::stopped_at() const {
  // HVC leaves the PC after itself.
  const uint32_t vector = cpu.r[15] - 4 - kVectors;
  return vector < 32 ? static_cast<Exception>(vector / 4) : Exception::None;
}

void Guest::raise_after(uint32_t line, unsigned milliseconds) {
  raise_line_ = line;
  raise_after_ = milliseconds;
}

bool Guest::mmio_read(CpuState&, uint64_t pa, unsigned bytes, uint64_t& value) {
  if (pa < kDevice || pa >= kUnassigned) return false;
  const auto offset = static_cast<uint32_t>(pa - kDevice);
  value = 0x8877665544332211u + offset * 0x0101010101010101u;
  if (bytes < 8) value &= (uint64_t{1} << 8 * bytes) - 1;
  accesses.push_back({offset, bytes, false, value});
  return true;
}
bool Guest::mmio_write(CpuState&, uint64_t pa, unsigned bytes, uint64_t value) {
  if (pa < kDevice || pa >= kUnassigned) return false;
  const auto offset = static_cast<uint32_t>(pa - kDevice);
  accesses.push_back({offset, bytes, true, value});
  if (on_device_write) on_device_write(offset, value);
  return true;
}
bool Guest::firmware_call(CpuState& c) {
  raise_line(c, kLineStop);
  return true;
}
void Guest::wait_for_interrupt(CpuState& c) {
  waits++;
  while (std::atomic_ref<uint32_t>(c.interrupt_lines).load() == 0) {
    timespec moment{0, 1000000};
    nanosleep(&moment, nullptr);
  }
}

std::vector<Setting> settings() {
  using mmu::Mode;
  constexpr auto without = [](const char* name, Mode mode, bool Setting::*part) {
    Setting setting{name, mode};
    setting.*part = false;
    return setting;
  };
  return {without("SoftUnrecycled", Mode::Soft, &Setting::recycle),
          without("SoftUnmixed", Mode::Soft, &Setting::mixed_pages),
          without("MmapUnmixed", Mode::Window, &Setting::mixed_pages),
          without("SoftUnrelocated", Mode::Soft, &Setting::relocate),
          {"SoftCall", Mode::SoftCall},
          {"Soft", Mode::Soft},
          {"SoftUnchained", Mode::Soft, false},
          {"SoftUnoptimised", Mode::Soft, true, false},
          {"SoftUnfused", Mode::Soft, true, true, false},
          {.name = "SoftFpModeTested", .mode = Mode::Soft, .assume_fp_mode = false},
          {.name = "MmapVectorsLoaded", .mode = Mode::Window, .carry_vectors = false},
          {.name = "SoftUnguessed", .mode = Mode::Soft, .guess_targets = false},
          {.name = "SoftUnshared", .mode = Mode::Soft, .share_lookups = false},
          {"Mmap", Mode::Window},
          {"MmapUnchained", Mode::Window, false},
          {"MmapUnoptimised", Mode::Window, true, false},
          {"Hybrid", Mode::Hybrid},
          {"HybridUnchained", Mode::Hybrid, false},
          {"Shadow", Mode::Window, true, true, true, Windows::Shadow},
          {"Ept", Mode::Window, true, true, true, Windows::Ept},
          {"HybridShadow", Mode::Hybrid, true, true, true, Windows::Shadow},
          {"HybridEpt", Mode::Hybrid, true, true, true, Windows::Ept}};
}

void EngineTest::SetUp() {
  if (!needs_kvm(GetParam().windows)) return;
  if (auto usable = kvm::check_kvm(); !usable) GTEST_SKIP() << "needs KVM: " << usable.error();
}

std::unique_ptr<Guest> EngineTest::make_guest(size_t code_cache_bytes) {
  GuestConfig config = engine_config();
  config.code_cache_bytes = code_cache_bytes;
  return std::make_unique<Guest>(config);
}

GuestConfig EngineTest::engine_config() const {
  GuestConfig config;
  config.mode = GetParam().mode;
  config.windows = GetParam().windows;
  config.code_cache_bytes = 8 << 20;
  config.chain = GetParam().chain;
  config.optimise = GetParam().optimise;
  config.flag_fusion = GetParam().flag_fusion;
  config.assume_fp_mode = GetParam().assume_fp_mode;
  config.guess_targets = GetParam().guess_targets;
  config.carry_vectors = GetParam().carry_vectors;
  config.recycle = GetParam().recycle;
  config.relocate = GetParam().relocate;
  config.mixed_pages = GetParam().mixed_pages;
  config.share_lookups = GetParam().share_lookups;
  return config;
}

}  // namespace crosswalk::test
