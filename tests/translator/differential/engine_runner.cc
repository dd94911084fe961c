// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/differential/engine_runner.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/reset.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/engine/engine.h"
#include "translator/engine/translations.h"
#include "translator/ir/ir.h"
#include "vmm/world/process/process_world.h"

namespace crosswalk::differential {
namespace {

constexpr uint32_t kVectors = 0x7fff0000;  // VBAR: tells exceptions from branches

// A machine with RAM and nothing else.
class BarePlatform final : public Platform {
 public:
  bool mmio_read(CpuState&, uint64_t, unsigned, uint64_t&) override { return false; }
  bool mmio_write(CpuState&, uint64_t, unsigned, uint64_t) override { return false; }
  bool firmware_call(CpuState&) override { return false; }
  bool semihosting(CpuState&) override { return false; }
  void wait_for_interrupt(CpuState&) override {}
  uint64_t counter() override { return 0; }
  void timers_changed(CpuState&) override {}
};

Exception exception_at(uint32_t pc) {
  if ((pc & ~0x1cu) != kVectors) return Exception::None;
  switch (pc >> 2 & 7) {
    case 1: return Exception::Undefined;
    case 2: return Exception::SupervisorCall;
    case 3: return Exception::PrefetchAbort;
    case 4: return Exception::DataAbort;
    default: return Exception::Other;
  }
}

engine::EngineConfig engine_config(mmu::Mode mode, unsigned block_instructions) {
  engine::EngineConfig config;
  config.mode = mode;
  config.translate.max_instructions = block_instructions;
  config.chain = false;
  config.verify_ir = true;
  return config;
}

}  // namespace

struct EngineRunner::Parts {
  Parts(mmu::Mode mode, unsigned block_instructions) {
    ram.base = kRamBase;
    ram.size = kRamSize;
    ram.fd = memfd_create("guest-ram", MFD_CLOEXEC);
    if (ram.fd < 0 || ftruncate(ram.fd, kRamSize) != 0) std::abort();
    ram.host = static_cast<uint8_t*>(mmap(nullptr, kRamSize, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd, 0));
    if (ram.host == MAP_FAILED) std::abort();
    const engine::EngineConfig how = engine_config(mode, block_instructions);
    translations = std::move(*engine::Translations::create(how));
    if (mode == mmu::Mode::Flat) backend = std::move(*mmu::make_mmap_backend(ram));
    mmu::MmuConfig config;
    config.mode = mode;
    mmu = std::move(*mmu::make_mmu(config, ram, *translations, backend.get()));
    arm::reset_cpu(cpu, arm::CpuModel::CortexA15);
    cpu.cp15.vbar = kVectors;
    cpu.cp15.sctlr |= arm::kSctlrSw;
    cpu.strict_alignment = 0;  // the reference does not check alignment with the MMU off
    cpu.cp15.cpacr = 0xf00000;
    cpu.fpexc = arm::kFpexcEn;
    arm::update_fp_mode(cpu);
    engine = std::make_unique<engine::Engine>(how, *translations, *mmu, cpu, platform);
  }
  ~Parts() {
    munmap(ram.host, ram.size);
    close(ram.fd);
  }

  GuestRam ram;
  BarePlatform platform;
  CpuState cpu{};
  std::unique_ptr<mmu::WindowBackend> backend;
  std::unique_ptr<engine::Translations> translations;
  std::unique_ptr<mmu::Mmu> mmu;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<engine::World> world = std::move(*vmm::make_process_world());
  size_t steps = 0;
  uint32_t end = 0;
};

EngineRunner::EngineRunner(mmu::Mode mode, unsigned block_instructions)
    : parts_(std::make_unique<Parts>(mode, block_instructions)) {}
EngineRunner::~EngineRunner() = default;

uint8_t* EngineRunner::ram() { return parts_->ram.host; }
CpuState& EngineRunner::cpu() { return parts_->cpu; }
void EngineRunner::forget_code() { parts_->mmu->note_external_write(kCodeBase, kCodeSize); }
std::string EngineRunner::details() { return ir::print(parts_->translations->last_ir()); }

Outcome EngineRunner::run(const Case& c) {
  CpuState& cpu = parts_->cpu;
  const GuestState& in = c.before;
  if (cpu.mode != (in.cpsr & 0x1f)) {
    arm::switch_mode(cpu, static_cast<Mode>(in.cpsr & 0x1f));
    parts_->mmu->activate(cpu);
  }
  arm::set_cpsr(cpu, in.cpsr);
  std::memcpy(cpu.r, in.r, sizeof cpu.r);
  std::memcpy(cpu.vreg, in.d, sizeof in.d);
  arm::write_fpscr(cpu, in.fpscr);
  if (const Mode mode = arm::mode_of(cpu); arm::mode_has_spsr(mode))
    cpu.banked.spsr[bank_of(mode)] = in.spsr & 0xff0fffff;  // [23:20] are reserved
  if (c.user_bank) {
    arm::user_register(cpu, 13) = in.user_r13;
    arm::user_register(cpu, 14) = in.user_r14;
  }
  cpu.cp15.dfsr = 0;
  cpu.exit_reason = 0;
  parts_->steps = c.code.size();
  parts_->end = in.r[15];
  for (const Instruction& i : c.code) parts_->end += i.bytes;
  parts_->world->run(
      [](void* p) {
        auto* parts = static_cast<Parts*>(p);
        CpuState& cpu = parts->cpu;
        for (size_t i = 0; i < parts->steps && exception_at(cpu.r[15]) == Exception::None; i++) {
          if (i && cpu.r[15] == parts->end) break;  // blocks of several instructions
          // An access outside RAM is translated again, to go out of line: the block starts over. So
          // it does where accesses cannot share a lookup.
          const uint32_t pc = cpu.r[15];
          for (int again = 0; again < 3; again++) {
            parts->engine->step();
            if (cpu.r[15] != pc || (cpu.exit_reason != kExitLookup && cpu.exit_reason != kExitApart)) break;
          }
        }
      },
      parts_.get(), &engine::Engine::handle_fault, parts_->engine.get());
  Outcome out;
  std::memcpy(out.state.r, cpu.r, sizeof cpu.r);
  std::memcpy(out.state.d, cpu.vreg, sizeof out.state.d);
  out.state.cpsr = read_cpsr(cpu);
  out.state.spsr = arm::read_spsr(cpu);
  out.state.fpscr = arm::read_fpscr(cpu);
  if (c.user_bank) {
    out.state.user_r13 = arm::user_register(cpu, 13);
    out.state.user_r14 = arm::user_register(cpu, 14);
  }
  out.exception = exception_at(cpu.r[15]);
  out.fault_status = cpu.cp15.dfsr;
  return out;
}

}  // namespace crosswalk::differential
