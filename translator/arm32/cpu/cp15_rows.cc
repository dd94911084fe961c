// SPDX-License-Identifier: GPL-2.0-or-later
// Coprocessor 15: the rows, in the order of CRn. Functions that are more than a line are in
// cp15_functions.h.
#include "translator/arm32/cpu/cp15_functions.h"
#include "translator/arm32/cpu/pmu.h"
#include "translator/arm32/cpu/system_bits.h"
#include "translator/arm32/cpu/system_rows.h"

namespace crosswalk::arm {
namespace {

using rows::Encoding;
using rows::kReadZero;
using rows::kWriteIgnored;

#define CP15_FIELD(member) (offsetof(CpuState, cp15) + offsetof(Cp15, member))

constexpr SystemRegister state(const char* name, Encoding e, uint8_t access, size_t offset, uint32_t mask = ~0u,
                               uint32_t effects = 0, Condition condition = Condition::None,
                               WriteFunction write = nullptr) {
  return rows::field(15, name, e, access, offset, mask, effects, condition, write);
}
constexpr SystemRegister read_only(const char* name, Encoding e, ReadFunction read) {
  return rows::row(15, name, e, kPl1Read, read, nullptr);
}
constexpr SystemRegister reg(const char* name, Encoding e, uint8_t access, ReadFunction read, WriteFunction write,
                             uint32_t effects = 0, Condition condition = Condition::None) {
  return rows::row(15, name, e, access, read, write, effects, condition);
}
// Operations: write-only at PL1.
constexpr SystemRegister operation(const char* name, Encoding e, WriteFunction write, uint32_t effects = 0) {
  return rows::row(15, name, e, kPl1Write, nullptr, write, effects);
}
constexpr SystemRegister barrier(const char* name, Encoding e, WriteFunction write, uint32_t effects) {
  return rows::row(15, name, e, kPl1Write | kPl0Write, nullptr, write, effects, Condition::Cp15Barrier);
}
constexpr SystemRegister pmu(const char* name, Encoding e, ReadFunction read, WriteFunction write) {
  return rows::row(15, name, e, kPl0, read, write, 0, Condition::PerformancePl0);
}

constexpr uint32_t kTlb = kEffectTlbMaintenance;
constexpr uint64_t kTtbr64Mask = 0x00ff'00ff'ffff'ffffull;  // ASID, BADDR

constexpr auto kRows = rows::sorted(std::to_array<SystemRegister>({
    // ---- c0: identification
    state("MIDR", {0, 0, 0, 0}, kPl1Read, offsetof(CpuState, midr)),
    read_only("CTR", {0, 0, 0, 1}, read_ctr),
    read_only("TCMTR", {0, 0, 0, 2}, kReadZero),
    read_only("TLBTR", {0, 0, 0, 3}, kReadZero),
    state("MIDR (alias 4)", {0, 0, 0, 4}, kPl1Read, offsetof(CpuState, midr)),
    state("MPIDR", {0, 0, 0, 5}, kPl1Read, offsetof(CpuState, mpidr)),
    read_only("REVIDR", {0, 0, 0, 6}, read_revidr),
    state("MIDR (alias 7)", {0, 0, 0, 7}, kPl1Read, offsetof(CpuState, midr)),
    read_only("ID_PFR0", {0, 0, 1, 0}, read_id_pfr),
    read_only("ID_PFR1", {0, 0, 1, 1}, read_id_pfr),
    read_only("ID_DFR0", {0, 0, 1, 2}, read_id_dfr0),
    read_only("ID_AFR0", {0, 0, 1, 3}, read_id_afr0),
    read_only("ID_MMFR0", {0, 0, 1, 4}, read_id_mmfr),
    read_only("ID_MMFR1", {0, 0, 1, 5}, read_id_mmfr),
    read_only("ID_MMFR2", {0, 0, 1, 6}, read_id_mmfr),
    read_only("ID_MMFR3", {0, 0, 1, 7}, read_id_mmfr),
    read_only("ID_ISAR0", {0, 0, 2, 0}, read_id_isar),
    read_only("ID_ISAR1", {0, 0, 2, 1}, read_id_isar),
    read_only("ID_ISAR2", {0, 0, 2, 2}, read_id_isar),
    read_only("ID_ISAR3", {0, 0, 2, 3}, read_id_isar),
    read_only("ID_ISAR4", {0, 0, 2, 4}, read_id_isar),
    read_only("ID_ISAR5", {0, 0, 2, 5}, read_id_isar),
    read_only("CCSIDR", {0, 1, 0, 0}, read_ccsidr),
    read_only("CLIDR", {0, 1, 0, 1}, read_clidr),
    read_only("AIDR", {0, 1, 0, 7}, read_aidr),
    state("CSSELR", {0, 2, 0, 0}, kPl1, CP15_FIELD(csselr), 0xf),

    // ---- c1: system control. What belongs to the Security and Virtualization Extensions is not
    // there: SCR, SDER, NSACR, MVBAR, ATS12NSO*, and all that Hyp mode has. VBAR and ISR are, as in
    // QEMU: guests use them unasked.
    state("SCTLR", {1, 0, 0, 0}, kPl1, CP15_FIELD(sctlr), ~0u,
          kEffectRegimeChanged | kEffectEndBlock | kEffectAlignmentChanged, Condition::None, write_sctlr),
    state("ACTLR", {1, 0, 0, 1}, kPl1, CP15_FIELD(actlr)),
    state("CPACR", {1, 0, 0, 2}, kPl1, CP15_FIELD(cpacr), kCpacrWritable, kEffectFpEnableChanged | kEffectEndBlock,
          Condition::None, write_cpacr),

    // ---- c2, c3: translation tables and domains
    state("TTBR0", {2, 0, 0, 0}, kPl1, CP15_FIELD(ttbr0), ~0u, kEffectRegimeChanged),
    state("TTBR1", {2, 0, 0, 1}, kPl1, CP15_FIELD(ttbr1), ~0u, kEffectRegimeChanged),
    state("TTBCR", {2, 0, 0, 2}, kPl1, CP15_FIELD(ttbcr), ~0u, kEffectRegimeChanged, Condition::None, write_ttbcr),
    state("DACR", {3, 0, 0, 0}, kPl1, CP15_FIELD(dacr), ~0u, kEffectAccessChanged),
    rows::field64(15, "TTBR0 (64-bit)", 0, 2, kPl1, CP15_FIELD(ttbr0), kTtbr64Mask, kEffectRegimeChanged),
    rows::field64(15, "TTBR1 (64-bit)", 1, 2, kPl1, CP15_FIELD(ttbr1), kTtbr64Mask, kEffectRegimeChanged),

    // ---- c5, c6: faults
    state("DFSR", {5, 0, 0, 0}, kPl1, CP15_FIELD(dfsr)),
    state("IFSR", {5, 0, 0, 1}, kPl1, CP15_FIELD(ifsr)),
    reg("ADFSR", {5, 0, 1, 0}, kPl1, kReadZero, kWriteIgnored),
    reg("AIFSR", {5, 0, 1, 1}, kPl1, kReadZero, kWriteIgnored),
    state("DFAR", {6, 0, 0, 0}, kPl1, CP15_FIELD(dfar)),
    state("IFAR", {6, 0, 0, 2}, kPl1, CP15_FIELD(ifar)),

    // ---- c7: caches, address translation, barriers. Data cache operations have nothing to do:
    // guest memory is coherent here. Two encodings that ARMv7 made NOPs keep being NOPs.
    operation("NOP (was WFI)", {7, 0, 0, 4}, kWriteIgnored),
    operation("ICIALLUIS", {7, 0, 1, 0}, write_instruction_cache, kEffectInstructionCacheInvalidate),
    operation("BPIALLIS", {7, 0, 1, 6}, kWriteIgnored),
    state("PAR", {7, 0, 4, 0}, kPl1, CP15_FIELD(par)),
    operation("ICIALLU", {7, 0, 5, 0}, write_instruction_cache, kEffectInstructionCacheInvalidate),
    operation("ICIMVAU", {7, 0, 5, 1}, write_instruction_cache, kEffectInstructionCacheInvalidate),
    barrier("CP15ISB", {7, 0, 5, 4}, write_isb, kEffectContextSync | kEffectEndBlock),
    operation("BPIALL", {7, 0, 5, 6}, kWriteIgnored),
    operation("BPIMVA", {7, 0, 5, 7}, kWriteIgnored),
    operation("DCIMVAC", {7, 0, 6, 1}, kWriteIgnored),
    operation("DCISW", {7, 0, 6, 2}, kWriteIgnored),
    operation("ATS1CPR", {7, 0, 8, 0}, write_address_translation, kEffectDataAbort),
    operation("ATS1CPW", {7, 0, 8, 1}, write_address_translation, kEffectDataAbort),
    operation("ATS1CUR", {7, 0, 8, 2}, write_address_translation, kEffectDataAbort),
    operation("ATS1CUW", {7, 0, 8, 3}, write_address_translation, kEffectDataAbort),
    operation("DCCMVAC", {7, 0, 10, 1}, kWriteIgnored),
    operation("DCCSW", {7, 0, 10, 2}, kWriteIgnored),
    barrier("CP15DSB", {7, 0, 10, 4}, write_synchronization_barrier, kEffectBarrier),
    barrier("CP15DMB", {7, 0, 10, 5}, write_memory_barrier, kEffectBarrier),
    operation("DCCMVAU", {7, 0, 11, 1}, kWriteIgnored),
    operation("NOP (was prefetch)", {7, 0, 13, 1}, kWriteIgnored),
    operation("DCCIMVAC", {7, 0, 14, 1}, kWriteIgnored),
    operation("DCCISW", {7, 0, 14, 2}, kWriteIgnored),
    rows::field64(15, "PAR (64-bit)", 0, 7, kPl1, CP15_FIELD(par)),

    // ---- c8: TLB maintenance. The instruction and data forms act on the unified TLB (B3.10.5
    // allows that).
    operation("TLBIALLIS", {8, 0, 3, 0}, write_tlb_all, kTlb),
    operation("TLBIMVAIS", {8, 0, 3, 1}, write_tlb_mva, kTlb),
    operation("TLBIASIDIS", {8, 0, 3, 2}, write_tlb_asid, kTlb),
    operation("TLBIMVAAIS", {8, 0, 3, 3}, write_tlb_mva_all_asids, kTlb),
    operation("ITLBIALL", {8, 0, 5, 0}, write_tlb_all, kTlb),
    operation("ITLBIMVA", {8, 0, 5, 1}, write_tlb_mva, kTlb),
    operation("ITLBIASID", {8, 0, 5, 2}, write_tlb_asid, kTlb),
    operation("DTLBIALL", {8, 0, 6, 0}, write_tlb_all, kTlb),
    operation("DTLBIMVA", {8, 0, 6, 1}, write_tlb_mva, kTlb),
    operation("DTLBIASID", {8, 0, 6, 2}, write_tlb_asid, kTlb),
    operation("TLBIALL", {8, 0, 7, 0}, write_tlb_all, kTlb),
    operation("TLBIMVA", {8, 0, 7, 1}, write_tlb_mva, kTlb),
    operation("TLBIASID", {8, 0, 7, 2}, write_tlb_asid, kTlb),
    operation("TLBIMVAA", {8, 0, 7, 3}, write_tlb_mva_all_asids, kTlb),

    // ---- c9: performance monitors, L2 control
    state("L2CTLR", {9, 1, 0, 2}, kPl1, CP15_FIELD(l2ctlr), ~0u, 0, Condition::None, kWriteIgnored),
    reg("L2ECTLR", {9, 1, 0, 3}, kPl1, kReadZero, kWriteIgnored),
    pmu("PMCR", {9, 0, 12, 0}, read_pmcr, write_pmcr),
    pmu("PMCNTENSET", {9, 0, 12, 1}, read_pmcnten, write_pmcntenset),
    pmu("PMCNTENCLR", {9, 0, 12, 2}, read_pmcnten, write_pmcntenclr),
    pmu("PMOVSR", {9, 0, 12, 3}, read_pmovsr, write_pmovsr),
    rows::row(15, "PMSWINC", {9, 0, 12, 4}, kPl1Write | kPl0Write, nullptr, write_pmswinc, 0,
              Condition::PerformancePl0),
    pmu("PMSELR", {9, 0, 12, 5}, read_pmselr, write_pmselr),
    rows::row(15, "PMCEID0", {9, 0, 12, 6}, kPl1Read | kPl0Read, read_pmceid, nullptr, 0, Condition::PerformancePl0),
    rows::row(15, "PMCEID1", {9, 0, 12, 7}, kPl1Read | kPl0Read, read_pmceid, nullptr, 0, Condition::PerformancePl0),
    pmu("PMCCNTR", {9, 0, 13, 0}, read_pmccntr, write_pmccntr),
    pmu("PMXEVTYPER", {9, 0, 13, 1}, read_pmxevtyper, write_pmxevtyper),
    pmu("PMXEVCNTR", {9, 0, 13, 2}, read_pmxevcntr, write_pmxevcntr),
    state("PMUSERENR", {9, 0, 14, 0}, kPl1 | kPl0Read, CP15_FIELD(pmuserenr), 1),
    reg("PMINTENSET", {9, 0, 14, 1}, kPl1, read_pminten, write_pmintenset),
    reg("PMINTENCLR", {9, 0, 14, 2}, kPl1, read_pminten, write_pmintenclr),
    reg("PMOVSSET", {9, 0, 14, 3}, kPl1, read_pmovsr, write_pmovsset),

    // ---- c10: memory attributes. PRRR and NMRR are MAIR0 and MAIR1 with TTBCR.EAE = 1.
    state("PRRR/MAIR0", {10, 0, 2, 0}, kPl1, CP15_FIELD(prrr), ~0u, kEffectRegimeChanged),
    state("NMRR/MAIR1", {10, 0, 2, 1}, kPl1, CP15_FIELD(nmrr), ~0u, kEffectRegimeChanged),
    reg("AMAIR0", {10, 0, 3, 0}, kPl1, kReadZero, kWriteIgnored),
    reg("AMAIR1", {10, 0, 3, 1}, kPl1, kReadZero, kWriteIgnored),

    // ---- c12, c13
    state("VBAR", {12, 0, 0, 0}, kPl1, CP15_FIELD(vbar), ~0x1fu),
    read_only("ISR", {12, 0, 1, 0}, read_isr),
    reg("FCSEIDR", {13, 0, 0, 0}, kPl1, kReadZero, kWriteIgnored),  // no FCSE: RAZ/WI (B4.1.66)
    state("CONTEXTIDR", {13, 0, 0, 1}, kPl1, CP15_FIELD(contextidr), ~0u, kEffectRegimeChanged),
    state("TPIDRURW", {13, 0, 0, 2}, kPl0, CP15_FIELD(tpidrurw)),
    state("TPIDRURO", {13, 0, 0, 3}, kPl1 | kPl0Read, CP15_FIELD(tpidruro)),
    state("TPIDRPRW", {13, 0, 0, 4}, kPl1, CP15_FIELD(tpidrprw)),

    // ---- c14: generic timer
    state("CNTFRQ", {14, 0, 0, 0}, kPl1 | kPl0Read, CP15_FIELD(cntfrq), ~0u, 0, Condition::CounterFrequency),
    state("CNTKCTL", {14, 0, 1, 0}, kPl1, CP15_FIELD(cntkctl), 0x3ff),
    reg("CNTP_TVAL", {14, 0, 2, 0}, kPl0, read_timer_value, write_timer_value, kEffectTimersChanged,
        Condition::TimerPhysical),
    reg("CNTP_CTL", {14, 0, 2, 1}, kPl0, read_timer_control, write_timer_control, kEffectTimersChanged,
        Condition::TimerPhysical),
    reg("CNTV_TVAL", {14, 0, 3, 0}, kPl0, read_timer_value, write_timer_value, kEffectTimersChanged,
        Condition::TimerVirtual),
    reg("CNTV_CTL", {14, 0, 3, 1}, kPl0, read_timer_control, write_timer_control, kEffectTimersChanged,
        Condition::TimerVirtual),
    rows::row64(15, "CNTPCT", 0, 14, kPl1Read | kPl0Read, read_cntpct, nullptr, 0, Condition::CounterPhysical),
    rows::row64(15, "CNTVCT", 1, 14, kPl1Read | kPl0Read, read_cntvct, nullptr, 0, Condition::CounterVirtual),
    rows::field64(15, "CNTP_CVAL", 2, 14, kPl0, CP15_FIELD(cntp_cval), ~uint64_t{0}, kEffectTimersChanged,
                  Condition::TimerPhysical, write_timer_compare_value),
    rows::field64(15, "CNTV_CVAL", 3, 14, kPl0, CP15_FIELD(cntv_cval), ~uint64_t{0}, kEffectTimersChanged,
                  Condition::TimerVirtual, write_timer_compare_value),

    // ---- c15
    read_only("CBAR", {15, 4, 0, 0}, read_cbar),
}));
static_assert(rows::no_duplicates(kRows));

}  // namespace

std::span<const SystemRegister> cp15_rows() { return kRows; }

}  // namespace crosswalk::arm
