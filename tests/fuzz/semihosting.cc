// SPDX-License-Identifier: GPL-2.0-or-later
// Semihosting calls with any parameters. There is no console input, and no files of the host.
#include "tests/fuzz/machine.h"

using namespace crosswalk;

namespace {

// VA = PA, but for a page that faults.
struct Port final : vmm::EnginePort {
  void external_write(CpuState&, uint64_t, uint64_t) override {}
  bool translate(CpuState&, uint32_t va, bool, uint64_t& pa) override {
    pa = va;
    return va >> 12 != 0x40003;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Port port;
  vmm::MachineConfig config;
  config.semihosting.enabled = true;
  config.semihosting.command_line = "program argument";
  fuzz::FuzzMachine machine(config);
  machine->set_engine(&port);
  CpuState& cpu = machine.cpu();
  cpu.mode = static_cast<uint8_t>(Mode::Supervisor);
  fuzz::Input in(data, size);
  for (int calls = 0; !in.empty() && calls < 64 && !machine->stop().stopping(); ++calls) {
    const uint8_t what = in.u8();
    // The block of parameters, with pointers into it more often than not.
    for (unsigned i = 0; i < 4; ++i) {
      const uint8_t kind = in.u8();
      const uint32_t value = kind < 0x80 ? 0x40002000 + kind * 0x40u : kind < 0xc0 ? kind & 0x3f : in.u32();
      std::memcpy(machine->ram().at(0x40001000 + i * 4), &value, 4);
    }
    in.copy(machine->ram().at(0x40002000 + in.u8() * 8u), in.u8());
    cpu.r[0] = what < 0x40 ? what : in.u32();
    cpu.r[1] = what & 0x80 ? in.u32() : 0x40001000;
    if (!machine->platform().semihosting(cpu)) std::abort();
    machine.work();
  }
  return 0;
}
