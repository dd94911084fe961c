// SPDX-License-Identifier: GPL-2.0-or-later
// Any code, from the decoder to the engine: it is translated, with the IR verified after each pass,
// and runs for some blocks on a software TLB. What it does there is the guest's business; the
// host's memory is not.
#include <sys/mman.h>

#include "mmu-shadow/mmu.h"
#include "tests/fuzz/input.h"
#include "translator/arm32/cpu/fp_system.h"
#include "translator/arm32/cpu/psr.h"
#include "translator/arm32/cpu/reset.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/engine/engine.h"
#include "translator/engine/translations.h"
#include "vmm/world/process/process_world.h"

using namespace crosswalk;

namespace {

constexpr uint32_t kRam = 0x40000000, kRamBytes = 4 << 20, kCode = kRam + 0x100000, kVectors = 0x7fff0000;
constexpr unsigned kBlocks = 24;

// Nothing but RAM.
class BarePlatform final : public Platform {
 public:
  bool mmio_read(CpuState&, uint64_t, unsigned, uint64_t&) override { return false; }
  bool mmio_write(CpuState&, uint64_t, unsigned, uint64_t) override { return false; }
  bool firmware_call(CpuState&) override { return false; }
  bool semihosting(CpuState&) override { return false; }
  void wait_for_interrupt(CpuState&) override {}
  uint64_t counter() override { return ++ticks_; }
  void timers_changed(CpuState&) override {}

 private:
  uint64_t ticks_ = 0;
};

struct Guest {
  Guest(uint8_t options, const GuestRam& memory) : ram(memory) {
    engine::EngineConfig config;
    config.mode = options & 1 ? mmu::Mode::Soft : mmu::Mode::SoftCall;
    config.verify_ir = true;
    config.optimise = !(options & 2);
    config.flag_fusion = !(options & 4);
    config.share_lookups = !(options & 0x40);
    config.chain = false;  // every block comes back
    config.code_cache_bytes = 4 << 20;
    translations = std::move(*engine::Translations::create(config));
    mmu::MmuConfig mmu_config;
    mmu_config.mode = config.mode;
    mmu = std::move(*mmu::make_mmu(mmu_config, ram, *translations, nullptr));
    arm::reset_cpu(cpu, arm::CpuModel::CortexA15);
    cpu.cp15.vbar = kVectors;
    cpu.cp15.sctlr |= arm::kSctlrSw;
    cpu.cp15.cpacr = 0xf00000;
    cpu.fpexc = arm::kFpexcEn;
    arm::update_fp_mode(cpu);
    engine = std::make_unique<engine::Engine>(config, *translations, *mmu, cpu, platform);
  }

  const GuestRam& ram;
  BarePlatform platform;
  CpuState cpu{};
  std::unique_ptr<engine::Translations> translations;
  std::unique_ptr<mmu::Mmu> mmu;
  std::unique_ptr<engine::Engine> engine;
  uint32_t code_bytes = 0;
};

void run(void* p) {
  Guest& guest = *static_cast<Guest*>(p);
  // What lies around the input has nothing to say, and exceptions leave RAM.
  for (unsigned i = 0; i < kBlocks && guest.cpu.r[15] - kCode < guest.code_bytes; ++i) guest.engine->step();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<engine::World> world = std::move(*vmm::make_process_world());
  GuestRam ram{kRam, kRamBytes, nullptr, -1};
  ram.host = static_cast<uint8_t*>(
      mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (ram.host == MAP_FAILED) std::abort();
  fuzz::Input in(data, size);
  const uint8_t options = in.u8();
  {
    Guest guest(options, ram);
    CpuState& cpu = guest.cpu;
    constexpr Mode kModes[] = {Mode::Supervisor, Mode::User, Mode::System, Mode::Irq};
    arm::set_cpsr(cpu, 0x1c0 | static_cast<uint32_t>(kModes[options >> 4 & 3]) | (options & 8 ? 0x20 : 0));
    guest.mmu->activate(cpu);
    // Registers that point at code, at data, and at nothing.
    for (unsigned i = 0; i < 15; ++i)
      cpu.r[i] = i & 1 ? kRam + 0x200000 + i * 0x1000 : i & 2 ? kCode + i * 8 : i * 0x11111111;
    cpu.r[15] = kCode;
    guest.code_bytes = static_cast<uint32_t>(std::min<size_t>(in.left(), 0x2000));
    in.copy(ram.at(kCode), guest.code_bytes);
    constexpr uint32_t kUdf = 0xe7f000f0;
    std::memcpy(ram.at(kCode) + guest.code_bytes, &kUdf, 4);
    world->run(run, &guest, &engine::Engine::handle_fault, guest.engine.get());
  }
  munmap(ram.host, kRamBytes);
  return 0;
}
