// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/simd/machine.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "translator/arm32/cpu/fp_system.h"
#include "translator/x64/emit_block.h"

namespace crosswalk::simd_test {
namespace {

constexpr uint32_t kCode = 0x8000;
constexpr size_t kWindowBytes = (size_t{1} << 32) + (64 << 10);

uint64_t no_slow_access(CpuState*, x64::SlowAccessFrame*) { std::abort(); }

}  // namespace

Machine::Machine() {
  void* p = mmap(nullptr, kWindowBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::runtime_error("no address space for the window");
  window_ = static_cast<uint8_t*>(p);
  if (mprotect(memory(), kMemoryBytes, PROT_READ | PROT_WRITE) != 0) throw std::runtime_error("mprotect");
  thunk_code_ = std::make_unique<x64::Assembler>(1 << 20);
  thunks_ = x64::emit_thunks(*thunk_code_, {&no_slow_access, nullptr, nullptr});
}

Machine::~Machine() { munmap(window_, kWindowBytes); }

bool Machine::run(CpuState& cpu, const std::vector<uint32_t>& words, const Options& options) {
  ir::Block block;
  frontend::TranslateConfig config;
  config.max_instructions = static_cast<uint32_t>(words.size());
  config.native_simd = options.native;
  frontend::Translator t(block, options.flags, config);
  t.translate(kCode, false, 0, [&](uint32_t va, uint32_t, uint32_t& word) {
    word = words[(va - kCode) / 4];
    return true;
  });
  if (block.insts.back().op == ir::Opcode::ExitException) return false;
  const auto verified = [&](const char* when) {
    if (const std::string error = ir::verify(block); !error.empty())
      throw std::runtime_error(std::string(when) + ": " + error + "\n" + ir::print(block));
  };
  verified("frontend");
  if (options.optimise) {
    for (const ir::Pass& pass : ir::passes()) {
      if (pass.shares_lookups) continue;  // memory is a window
      pass.run(block);
      verified(pass.name);
    }
  } else {
    ir::count_uses(block);
  }
  x64::BackendConfig backend;
  backend.memory = x64::MemoryMode::Window;
  backend.thunks = &thunks_;
  backend.features = options.features;
  thunk_code_->setSize(4096);  // each block after the thunks, over the last one
  const x64::CompiledBlock compiled = x64::emit_block(*thunk_code_, block, backend);
  cpu.mem_base = reinterpret_cast<uint64_t>(window_);
  cpu.exit_reason = 0;
  thunks_.enter(&cpu, compiled.code);
  return true;
}

std::unique_ptr<CpuState> make_state() {
  auto cpu = std::make_unique<CpuState>();
  *cpu = CpuState();
  cpu->mode = static_cast<uint8_t>(Mode::Supervisor);
  cpu->cp15.cpacr = 0xf00000;
  cpu->fpexc = arm::kFpexcEn;
  arm::update_fp_mode(*cpu);
  arm::write_fpscr(*cpu, 0);
  return cpu;
}

uint64_t interesting(Random& random, unsigned log2_bytes) {
  const unsigned bits = 8u << log2_bytes;
  const uint64_t mask = ~uint64_t{0} >> (64 - bits), r = random();
  if (log2_bytes == 2 && r % 4 < 3) {
    const uint32_t sign = static_cast<uint32_t>(r >> 32) & 0x80000000,
                   fraction = static_cast<uint32_t>(r >> 33) & 0x7fffff;
    switch (r >> 2 & 15) {
      case 0: return sign;
      case 1: return sign | 0x7f800000;
      case 2: return sign | 0x7fc00000 | (fraction & 0x3fffff);
      case 3: return sign | 0x7f800000 | (fraction & 0x3fffff) | 1;
      case 4: return sign | fraction;  // denormal
      case 5: return sign | 0x00800000 | (fraction & 3);
      case 6: return sign | static_cast<uint32_t>(1 + (r >> 6) % 70) << 23 | fraction;  // small
      case 7:
        return sign | static_cast<uint32_t>(185 + (r >> 6) % 70) << 23 | fraction;  // large
      // around the integers
      case 8: return sign | static_cast<uint32_t>(120 + (r >> 6) % 42) << 23 | fraction;
      case 9: return sign | 0x3f800000;
      case 10: return sign | 0x4f000000 | (fraction & 1);
      case 11: return sign | static_cast<uint32_t>(126 + (r >> 6) % 4) << 23 | (fraction & 0x700000);
      default: return sign | static_cast<uint32_t>(100 + (r >> 6) % 50) << 23 | fraction;
    }
  }
  switch (r >> 2 & 15) {
    case 0: return 0;
    case 1: return mask;
    case 2: return mask >> 1;
    case 3: return (mask >> 1) + 1;
    case 4: return (mask >> 1) + 2;
    case 5: return 1;
    case 6: return mask >> (bits / 2);
    case 7: return mask >> (bits / 2 + 1);
    case 8: return (r >> 8) % (2 * bits) & mask;
    case 9: return (0 - (r >> 8) % (2 * bits)) & mask;
    default: return random() & mask;
  }
}

void fill_interesting(Random& random, CpuState& cpu) {
  for (unsigned d = 0; d < 32; d++) {
    const unsigned size = random() % 4;
    uint64_t v = 0;
    for (unsigned i = 0; i < 8u >> size; i++) v |= interesting(random, size) << (i * 8 << size);
    // equal operands
    if (d > 0 && random() % 8 == 0) std::memcpy(&v, cpu.vreg + 8 * (random() % d), 8);
    std::memcpy(cpu.vreg + 8 * d, &v, 8);
  }
}

uint32_t random_word(Random& random, const decoder::Row& row) {
  return (static_cast<uint32_t>(random()) & ~row.mask) | row.value;
}

bool is_load_store(const decoder::Row& row) { return row.value >> 24 == 0xf4; }

std::string describe_registers(const CpuState& before, const CpuState& a, const CpuState& b) {
  std::string s;
  char line[128];
  for (int d = 0; d < 32; d++) {
    uint64_t v[3];
    std::memcpy(&v[0], before.vreg + 8 * d, 8);
    std::memcpy(&v[1], a.vreg + 8 * d, 8);
    std::memcpy(&v[2], b.vreg + 8 * d, 8);
    std::snprintf(line, sizeof line, "d%-2d %016lx  %016lx %016lx%s\n", d, v[0], v[1], v[2],
                  v[1] != v[2] ? "  <<<" : "");
    s += line;
  }
  std::snprintf(line, sizeof line, "fpscr %08x  %08x %08x\n", arm::read_fpscr(before), arm::read_fpscr(a),
                arm::read_fpscr(b));
  return s + line;
}

}  // namespace crosswalk::simd_test
