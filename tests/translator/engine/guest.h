// SPDX-License-Identifier: GPL-2.0-or-later
// A small machine around engine::Engine: RAM, page tables made by hand, one device, and vectors
// that stop the run.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "mmu-shadow/mmu.h"
#include "tests/translator/engine/assembler.h"
#include "translator/arm32/cpu/cpu_state.h"
#include "translator/engine/engine.h"
#include "translator/engine/translations.h"
#include "translator/engine/world.h"

namespace crosswalk::test {

// Guest-physical memory. VA = PA in RAM, by sections (and for the device); 0x00100000-0x003fffff,
// the first section and the last are the tests' to map.
inline constexpr uint32_t kRam = 0x40000000, kRamBytes = 4 << 20;
inline constexpr uint32_t kVectors = kRam, kTableA = kRam + 0x4000, kTableB = kRam + 0x8000, kTables = kRam + 0x10000;
inline constexpr uint32_t kCode = kRam + 0x40000, kData = kRam + 0x200000;
inline constexpr uint32_t kDevice = 0x09000000, kUnassigned = 0x09080000;
inline constexpr uint32_t kVa = 0x00100000;

enum class Exception { Reset, Undefined, SupervisorCall, PrefetchAbort, DataAbort, Reserved, Irq, Fiq, None };

struct DeviceAccess {
  uint32_t offset, bytes;
  bool write;
  uint64_t value;
  bool operator==(const DeviceAccess&) const = default;
};

// Who makes the entries of windows, and with that the world.
enum class Windows : uint8_t { Mmap, Shadow, Ept };

struct GuestConfig : engine::EngineConfig {
  Windows windows = Windows::Mmap;
};

class Guest final : public Platform {
 public:
  // Of `limits`, those of MmuConfig that bound memory; `map` is for windows of the process world
  // (make_mmap_backend).
  Guest(GuestConfig config, const mmu::MmuConfig& limits = {}, mmu::HostMap map = nullptr);
  ~Guest() override;

  // ---- memory, by PA
  void words(uint32_t pa, std::span<const uint32_t> w);
  void words(uint32_t pa, std::initializer_list<uint32_t> w) { words(pa, std::span(w.begin(), w.size())); }
  void halves(uint32_t pa, std::initializer_list<uint16_t> h);
  void code(const Asm& a, uint32_t pa) { words(pa, a.words); }
  void write32(uint32_t pa, uint32_t v);
  uint32_t read32(uint32_t pa) const;
  uint8_t* host(uint32_t pa) const { return ram_.at(pa); }
  // As a device does it.
  void device_write32(uint32_t pa, uint32_t v);

  // ---- page tables
  enum PageFlags : uint32_t { kUserRw = 0, kPrivileged = 1, kReadOnly = 2, kNotGlobal = 4, kExecuteNever = 8 };
  static uint32_t page(uint32_t pa, uint32_t flags = kUserRw);  // a small-page descriptor
  // PA of the second-level entry of `va`; makes the table.
  uint32_t entry(uint32_t va, uint32_t table = kTableA);
  void map(uint32_t va, uint32_t pa, uint32_t flags = kUserRw, uint32_t table = kTableA) {
    write32(entry(va, table), page(pa, flags));
  }
  void unmap(uint32_t va, uint32_t table = kTableA) { write32(entry(va, table), 0); }
  void flush_tlb() { mmu_->flush_all(cpu); }

  // Runs from `pc` (bit 0 = T) until HVC or an exception whose vector has not been replaced.
  void run(uint32_t pc);
  void resume();
  // What the guest has: registers and RAM.
  struct Saved {
    GuestCpu cpu;
    std::vector<uint8_t> ram;
  };
  Saved save() const;
  void restore(const Saved& saved);
  Exception stopped_at() const;
  uint32_t spsr(BankIndex bank) const { return cpu.banked.spsr[bank]; }
  // Raises `line` `milliseconds` after the next run has begun; lower it in a handler or after.
  void raise_after(uint32_t line, unsigned milliseconds);

  // ---- Platform
  bool mmio_read(CpuState&, uint64_t pa, unsigned bytes, uint64_t& value) override;
  bool mmio_write(CpuState&, uint64_t pa, unsigned bytes, uint64_t value) override;
  bool firmware_call(CpuState&) override;
  bool semihosting(CpuState& c) override {
    if (!offers_semihosting) return false;
    semihosting_calls++;
    c.r[0] += 1000;
    return true;
  }
  void wait_for_interrupt(CpuState&) override;
  void wait_for_event(CpuState&, int64_t) override {
    event_waits++;
    if (on_wait_for_event) on_wait_for_event();
  }
  void send_event(CpuState&) override { events_sent++; }
  uint64_t counter() override { return ticks; }
  void timers_changed(CpuState&) override {}
  void run_queued_work(CpuState& c) override {
    lower_line(c, kLineWork);
    if (on_queued_work) on_queued_work(*engine_);
  }

  CpuState cpu{};
  std::vector<DeviceAccess> accesses;
  std::function<void(uint32_t offset, uint64_t value)> on_device_write;
  unsigned waits = 0, event_waits = 0, events_sent = 0;
  std::function<void()> on_wait_for_event;
  std::function<void(engine::Engine& engine)> on_queued_work;
  bool offers_semihosting = false;
  unsigned semihosting_calls = 0;
  uint64_t ticks = 0;  // the system counter
  const engine::EngineStatistics& engine_statistics() const { return engine_->statistics(); }
  const engine::TranslationStatistics& translation_statistics() const { return translations_->statistics(); }
  const mmu::Statistics& mmu_statistics() const { return mmu_->statistics(); }

 private:
  GuestRam ram_;
  void* reservation_ = nullptr;
  std::unique_ptr<engine::World> world_;
  std::unique_ptr<mmu::WindowBackend> backend_;
  std::unique_ptr<engine::Translations> translations_;
  std::unique_ptr<mmu::Mmu> mmu_;
  std::unique_ptr<engine::Engine> engine_;
  uint32_t next_table_ = kTables;
  uint32_t raise_line_ = 0;
  unsigned raise_after_ = 0;
};

// Each mode, and in two of them each optimisation off.
struct Setting {
  const char* name;
  mmu::Mode mode;
  bool chain = true, optimise = true, flag_fusion = true;
  Windows windows = Windows::Mmap;
  bool assume_fp_mode = true, carry_vectors = true, guess_targets = true;
  bool recycle = true, mixed_pages = true, relocate = true;
  bool share_lookups = true;
};
std::vector<Setting> settings();

class EngineTest : public ::testing::TestWithParam<Setting> {
 protected:
  void SetUp() override;
  std::unique_ptr<Guest> make_guest(size_t code_cache_bytes = 8 << 20);
  GuestConfig engine_config() const;
};
inline std::string setting_name(const ::testing::TestParamInfo<Setting>& info) { return info.param.name; }
#define INSTANTIATE_ENGINE_TESTS(name) \
  using name = EngineTest;             \
  INSTANTIATE_TEST_SUITE_P(, name, ::testing::ValuesIn(settings()), setting_name)

}  // namespace crosswalk::test
