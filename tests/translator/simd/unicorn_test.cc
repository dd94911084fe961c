// SPDX-License-Identifier: GPL-2.0-or-later
// Single Advanced SIMD instructions against Unicorn's Cortex-A15: all D registers, FPSCR, and for
// loads and stores the base register and memory. Words come from the decoder's rows.
#include <gtest/gtest.h>
#include <unicorn/unicorn.h>

#include <algorithm>
#include <string>

#include "tests/translator/simd/machine.h"
#include "translator/arm32/cpu/fp_system.h"

namespace crosswalk::simd_test {
namespace {

constexpr uint64_t kCode = 0x8000;

class Reference {
 public:
  Reference() {
    EXPECT_EQ(uc_open(UC_ARCH_ARM, UC_MODE_ARM, &uc_), UC_ERR_OK);
    EXPECT_EQ(uc_ctl_set_cpu_model(uc_, UC_CPU_ARM_CORTEX_A15), UC_ERR_OK);
    EXPECT_EQ(uc_mem_map(uc_, 0, 0x10000, UC_PROT_ALL), UC_ERR_OK);
    EXPECT_EQ(uc_mem_map(uc_, Machine::kMemory, Machine::kMemoryBytes, UC_PROT_ALL), UC_ERR_OK);
    uint64_t cpacr = 0xf << 20, fpexc = arm::kFpexcEn;
    EXPECT_EQ(uc_reg_write(uc_, UC_ARM_REG_C1_C0_2, &cpacr), UC_ERR_OK);
    EXPECT_EQ(uc_reg_write(uc_, UC_ARM_REG_FPEXC, &fpexc), UC_ERR_OK);
  }
  ~Reference() { uc_close(uc_); }
  Reference(const Reference&) = delete;

  // False when the instruction is undefined.
  bool run(CpuState& cpu, uint32_t word, uint8_t* memory) {
    for (int d = 0; d < 32; d++) uc_reg_write(uc_, UC_ARM_REG_D0 + d, cpu.vreg + 8 * d);
    for (int r = 0; r < 15; r++) uc_reg_write(uc_, register_id(r), &cpu.r[r]);
    uint32_t fpscr = arm::read_fpscr(cpu);
    uc_reg_write(uc_, UC_ARM_REG_FPSCR, &fpscr);
    uc_mem_write(uc_, kCode, &word, 4);
    if (memory) uc_mem_write(uc_, Machine::kMemory, memory, Machine::kMemoryBytes);
    uc_ctl_remove_cache(uc_, kCode, kCode + 4);
    if (uc_emu_start(uc_, kCode, kCode + 4, 0, 1) != UC_ERR_OK) return false;
    for (int d = 0; d < 32; d++) uc_reg_read(uc_, UC_ARM_REG_D0 + d, cpu.vreg + 8 * d);
    for (int r = 0; r < 15; r++) uc_reg_read(uc_, register_id(r), &cpu.r[r]);
    uc_reg_read(uc_, UC_ARM_REG_FPSCR, &fpscr);
    arm::write_fpscr(cpu, fpscr);
    if (memory) uc_mem_read(uc_, Machine::kMemory, memory, Machine::kMemoryBytes);
    return true;
  }

 private:
  static int register_id(int r) { return r == 13 ? UC_ARM_REG_SP : r == 14 ? UC_ARM_REG_LR : UC_ARM_REG_R0 + r; }
  uc_engine* uc_ = nullptr;
};

// Words that are not compared, and why.
bool excluded(const decoder::Row& row, uint32_t word) {
  const std::string name = row.name;
  const unsigned d = (word >> 18 & 16) | (word >> 12 & 15), m = (word >> 1 & 16) | (word & 15);
  // Both results go to one register: UNKNOWN (A8.8.421-423).
  if ((name == "VTRN" || name == "VUZP" || name == "VZIP") && d == m) return true;
  // A table that reaches beyond D31: UNPREDICTABLE (A8.8.419).
  const unsigned n = (word >> 3 & 16) | (word >> 16 & 15);
  if ((name == "VTBL" || name == "VTBX") && n + (word >> 8 & 3) + 1 > 32) return true;
  return false;
}

TEST(SimdUnicorn, DataProcessing) {
  Machine machine;
  Reference reference;
  Random random(21);
  const auto initial = make_state(), a = make_state(), b = make_state();
  int failures = 0;
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd || is_load_store(row)) continue;
    for (int i = 0; i < 300 && failures < 12; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row || excluded(row, word)) continue;
      fill_interesting(random, *initial);
      arm::write_fpscr(*initial, i % 2 ? static_cast<uint32_t>(random()) & ~0x00370000u : 0);
      *a = *initial;
      *b = *initial;
      const bool defined = machine.run(*a, {word}, {});
      const bool reference_defined = reference.run(*b, word, nullptr);
      if (defined != reference_defined) {
        failures++;
        ADD_FAILURE() << row.name << std::hex << " word " << word << ": defined " << defined << ", for Unicorn "
                      << reference_defined;
      } else if (defined &&
                 (std::memcmp(a->vreg, b->vreg, sizeof a->vreg) != 0 || arm::read_fpscr(*a) != arm::read_fpscr(*b))) {
        failures++;
        ADD_FAILURE() << row.name << std::hex << " word " << word << "; columns: before, here, Unicorn\n"
                      << describe_registers(*initial, *a, *b);
      }
    }
  }
}

// Registers beyond D31 and R15 as the base are UNPREDICTABLE (taken as undefined here).
bool unpredictable_load_store(const decoder::Row& row, uint32_t word) {
  const std::string name = row.name;
  const unsigned d = (word >> 18 & 16) | (word >> 12 & 15), members = static_cast<unsigned>(name[3] - '0');
  if ((word >> 16 & 15) == 15) return true;
  unsigned last = d;
  if (name.find("multiple") != std::string::npos) {
    // from the first register to the last, by type
    constexpr uint8_t kSpan[16] = {4, 7, 4, 4, 3, 5, 3, 1, 2, 3, 2};
    last += kSpan[word >> 8 & 15] - 1u;
  } else if (name.find("all lanes") != std::string::npos) {
    const unsigned two = word >> 5 & 1;
    last += members == 1 ? two : (members - 1) * (1 + two);
  } else {
    const unsigned size = word >> 10 & 3, index_align = word >> 4 & 15;
    const unsigned inc = size == 0 ? 1 : 1 + (index_align >> size & 1);
    last += (members - 1) * inc;
  }
  return last > 31;
}

class LoadStore : public testing::TestWithParam<bool> {};

TEST_P(LoadStore, LikeUnicorn) {
  Machine machine;
  Reference reference;
  Random random(22);
  const auto initial = make_state(), a = make_state(), b = make_state();
  std::vector<uint8_t> before(Machine::kMemoryBytes), after(Machine::kMemoryBytes);
  for (uint8_t& byte : before) byte = static_cast<uint8_t>(random());
  int failures = 0;
  for (const decoder::Row& row : decoder::rows()) {
    if (row.isa != decoder::Isa::Simd || !is_load_store(row)) continue;
    int executed = 0;
    for (int i = 0; i < 150 && failures < 12; i++) {
      const uint32_t word = random_word(random, row);
      if (decoder::decode_a32(word).row != &row || unpredictable_load_store(row, word)) continue;
      fill_interesting(random, *initial);
      for (int r = 0; r < 15; r++) initial->r[r] = static_cast<uint32_t>(random());
      // Every encoded alignment is met: 32 bytes.
      const unsigned n = word >> 16 & 15;
      initial->r[n] = Machine::kMemory + 0x100 + static_cast<uint32_t>(random() % 0x80) * 32;
      std::memcpy(machine.memory(), before.data(), before.size());
      after = before;
      *a = *initial;
      *b = *initial;
      const bool defined = machine.run(*a, {word}, {.native = GetParam(), .optimise = true, .flags = {}});
      const bool reference_defined = reference.run(*b, word, after.data());
      executed += defined;
      if (defined != reference_defined) {
        failures++;
        ADD_FAILURE() << row.name << std::hex << " word " << word << ": defined " << defined << ", for Unicorn "
                      << reference_defined;
      } else if (defined && (std::memcmp(a->vreg, b->vreg, sizeof a->vreg) != 0 || !std::equal(a->r, a->r + 15, b->r) ||
                             std::memcmp(machine.memory(), after.data(), after.size()) != 0)) {
        failures++;
        ADD_FAILURE() << row.name << std::hex << " word " << word << "; base " << a->r[n] << " and " << b->r[n]
                      << "; columns: before, here, Unicorn\n"
                      << describe_registers(*initial, *a, *b);
      }
    }
    EXPECT_GT(executed, 3) << row.name << " " << row.pattern;
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, LoadStore, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& info) { return info.param ? "Wide" : "ByElement"; });

}  // namespace
}  // namespace crosswalk::simd_test
