// SPDX-License-Identifier: GPL-2.0-or-later
// A CPU with a recording MMU and platform around it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "translator/arm32/cpu/coprocessor.h"
#include "translator/arm32/cpu/reset.h"

namespace crosswalk::arm::test {

class RecordingMmu : public MmuPort {
 public:
  Translation translate(CpuState&, uint32_t va, AccessKind kind, bool privileged) override {
    log.push_back("translate " + std::to_string(va) + (kind == AccessKind::Store ? " store" : " load") +
                  (privileged ? " privileged" : " user"));
    return translation;
  }
  void flush(CpuState&, Flush f) override {
    const std::string to = f.broadcast ? " broadcast" : "";
    const std::string asid = std::to_string(f.asid) + to, va = std::to_string(f.va);
    switch (f.kind) {
      case Flush::All: return log.push_back("all" + to);
      case Flush::OfAsid: return log.push_back("asid " + asid);
      case Flush::Page: return log.push_back("mva " + va + " " + asid);
      case Flush::PageOfAllAsids: return log.push_back("mvaa " + va + to);
    }
  }

  void synchronize(CpuState&) override { log.push_back("synchronize"); }
  void synchronize_code(CpuState&) override { log.push_back("synchronize code"); }

  Translation translation;
  std::vector<std::string> log;
};

class FakePlatform : public Platform {
 public:
  bool mmio_read(CpuState&, uint64_t, unsigned, uint64_t&) override { return false; }
  bool mmio_write(CpuState&, uint64_t, unsigned, uint64_t) override { return false; }
  bool firmware_call(CpuState&) override { return false; }
  bool semihosting(CpuState&) override { return false; }
  void wait_for_interrupt(CpuState&) override {}
  uint64_t counter() override { return now; }
  uint64_t counter_for(CpuState&) override {
    ++counter_reads;
    return now;
  }
  void timers_changed(CpuState&) override { ++timer_changes; }
  void run_queued_work(CpuState& cpu) override { lower_line(cpu, kLineWork); }

  uint64_t now = 0;
  int timer_changes = 0, counter_reads = 0;
};

struct TestCpu {
  explicit TestCpu(CpuModel model = CpuModel::CortexA15, uint32_t index = 0, uint32_t count = 1) {
    reset_cpu(cpu, model, index, count);
  }
  TestCpu(const TestCpu&) = delete;  // context refers to the members
  CpuState cpu{};
  RecordingMmu mmu;
  FakePlatform platform;
  SystemContext context{cpu, mmu, platform};

  // MRC/MCR by encoding, for tests: effects, kEffectUndefined where there is no row.
  uint32_t read(unsigned coprocessor, unsigned crn, unsigned opc1, unsigned crm, unsigned opc2, uint64_t& value) {
    const SystemRegister* row = find_system_register(coprocessor, crn, opc1, crm, opc2);
    return row ? read_system_register(context, *row, value) : uint32_t{kEffectUndefined};
  }
  uint32_t write(unsigned coprocessor, unsigned crn, unsigned opc1, unsigned crm, unsigned opc2, uint64_t value) {
    const SystemRegister* row = find_system_register(coprocessor, crn, opc1, crm, opc2);
    return row ? write_system_register(context, *row, value) : uint32_t{kEffectUndefined};
  }
  uint32_t value(unsigned coprocessor, unsigned crn, unsigned opc1, unsigned crm, unsigned opc2) {
    uint64_t v = 0xdeadbeefdeadbeef;
    read(coprocessor, crn, opc1, crm, opc2, v);
    return static_cast<uint32_t>(v);
  }
};

}  // namespace crosswalk::arm::test
