// SPDX-License-Identifier: GPL-2.0-or-later
// The page-table torture test: random tables in both formats, regime changes, TLB maintenance,
// accesses. After every flush that the architecture requires, an Mmu must give the value or the
// exact fault that the walker alone gives.
//
// Independent of how windows are made: the caller brings the backend, and an Accessor that performs
// one guest access the way translated code would.
#pragma once

#include <cstdint>
#include <string>

#include "mmu-shadow/mmu.h"

namespace crosswalk::mmu::test {

struct AccessResult {
  enum Kind { Done, Fault, Device } kind = Done;
  uint64_t value = 0;       // of a load that is Done
  Translation translation;  // of a Fault or Device
};

class Accessor {
 public:
  virtual ~Accessor() = default;
  // One naturally aligned load or store of 1, 2, 4 or 8 bytes in the CPU's current regime. A store
  // that the Mmu wants done by hand (Once) is done by the accessor and is Done.
  virtual AccessResult access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) = 0;
};

// Mode::Soft: the inline lookup of translated code, then fill().
class SoftAccessor final : public Accessor {
 public:
  AccessResult access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) override;
};

// Window modes of the process world: a real access to cpu.mem_base + va, with SIGSEGV handled by
// window_fault(). Installs its handler while it exists; one at a time.
class SignalAccessor final : public Accessor {
 public:
  SignalAccessor();
  ~SignalAccessor() override;
  AccessResult access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) override;
};

// Form::Hybrid: the one or the other.
class HybridAccessor final : public Accessor {
 public:
  AccessResult access(CpuState& cpu, Mmu& mmu, uint32_t va, uint32_t bytes, bool write, uint64_t value) override;

 private:
  SoftAccessor soft_;
  SignalAccessor window_;
};

// What window_fault's outcome means for an access, for accessors: true to retry, false when
// `result` is final.
bool resolve_window_fault(CpuState& cpu, Mmu& mmu, int64_t offset, uint32_t va, uint32_t bytes, bool write,
                          uint64_t value, AccessResult& result);

struct TortureResult {
  std::string failure;  // empty when all agreed
  uint64_t accesses = 0, guest_faults = 0, devices = 0, table_changes = 0, required_flushes = 0, code_writes = 0;
  Statistics statistics;
};

enum class Regimes {
  Any,  // of both formats and every kind
  // of one kernel: TTBR0 translates everything, and mostly the last GiB of it alike for all of them
  Processes,
};

// RAM of at least 32 MiB that the test may fill; the first 2 MiB hold tables. Deterministic in its
// arguments.
TortureResult run_torture(const MmuConfig& config, const GuestRam& ram, WindowBackend* backend, Accessor& accessor,
                          uint64_t seed, uint64_t steps, Regimes regimes = Regimes::Any);

}  // namespace crosswalk::mmu::test
