// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/differential/exclusions.h"

#include <string_view>

namespace crosswalk::differential {
namespace {

using decoder::Decoded;

bool mode_not_here(const Decoded& f) {
  switch (f['m']) {
    case 0x10:
    case 0x11:
    case 0x12:
    case 0x13:
    case 0x17:
    case 0x1b:
    case 0x1f: return false;
    default: return true;
  }
}
bool immediate_mode_not_here(const Decoded& f) { return (f['k'] & 1) && !f['r']; }
bool other_stack(const Decoded& f) { return f['m'] != 0x13; }
bool coprocessor_15_or_14(const Decoded& f) { return f['p'] >= 14; }
bool cps_mode_not_here(const Decoded& f) { return f['M'] && mode_not_here(f); }

// The deprecated forms of "SUBS PC, LR and related instructions" (B9.3.20).
bool exception_return(const Decoded& f) { return f.row->isa == decoder::Isa::A32 && f['d'] == 15 && f['S']; }

// LDRB and LDRH to R15 in the forms that are not PLD or PLI (A6.3.8, A6.3.9).
bool load_byte_to_pc(const Decoded& f) { return (f.word & 0xfe10f000) == 0xf810f000; }

bool store_from_pc(const Decoded& f) { return (f.word & 0xfe1f0000) == 0xf80f0000; }
bool load_dual_literal_writeback(const Decoded& f) { return (f.word & 0xfe7f0000) == 0xe87f0000; }
// In either set's form.
bool advanced_simd(const Decoded& f) {
  const uint32_t top = f.word >> 24;
  return top == 0xf2 || top == 0xf3 || top == 0xf4 || top == 0xef || top == 0xff || top == 0xf9;
}

constexpr const char* kOnlyTheReference =
    "the reference has the Security and Virtualization Extensions; UNDEFINED here";
constexpr const char* kOnlySubsAndMovs = "QEMU 5.0 returns from exceptions by SUBS and MOVS only";

constexpr Exclusion kExclusions[] = {
    {"MRC", nullptr, "system registers have tests of their own (tests/translator/arm)"},
    {"MCR", nullptr, "system registers have tests of their own"},
    {"MRRC", nullptr, "system registers have tests of their own"},
    {"MCRR", nullptr, "system registers have tests of their own"},
    {"HVC", nullptr, "firmware call here, Hyp mode in the reference"},
    {"SMC", nullptr, kOnlyTheReference},
    {"ERET", nullptr, kOnlyTheReference},
    {"MRS_banked", nullptr, kOnlyTheReference},
    {"MSR_banked", nullptr, kOnlyTheReference},
    {"WFI", nullptr, "the reference halts"},
    {"WFE", nullptr, "the reference halts"},
    {"YIELD", nullptr, "the reference stops before the next instruction with its own exit reason"},
    {"ENTERX", nullptr, "the reference has ThumbEE; UNDEFINED here by choice"},
    {"UNALLOCATED", store_from_pc, "UNDEFINED (A8.8.203 and its like: Rn = 1111); QEMU 5.0 stores relative to the PC"},
    {"UNALLOCATED", load_dual_literal_writeback, "UNPREDICTABLE: LDRD (literal) with writeback"},
    {"UNALLOCATED", advanced_simd, "QEMU 5.0 executes some sizes that are UNDEFINED"},
    {"UNALLOCATED", load_byte_to_pc, "UNPREDICTABLE: a load of a byte or halfword to R15"},
    {"SRS", other_stack, "a case carries the banked registers of User mode only"},
    {"LDC", coprocessor_15_or_14, "QEMU 5.0 takes some encodings for MRRC"},
    {"STC", coprocessor_15_or_14, "QEMU 5.0 takes some encodings for MCRR"},
    {"CPS", cps_mode_not_here, "Monitor and Hyp modes exist only in the reference"},
    {"AND_immediate", exception_return, kOnlySubsAndMovs},
    {"AND_register", exception_return, kOnlySubsAndMovs},
    {"EOR_immediate", exception_return, kOnlySubsAndMovs},
    {"EOR_register", exception_return, kOnlySubsAndMovs},
    {"RSB_immediate", exception_return, kOnlySubsAndMovs},
    {"RSB_register", exception_return, kOnlySubsAndMovs},
    {"ADD_immediate", exception_return, kOnlySubsAndMovs},
    {"ADD_register", exception_return, kOnlySubsAndMovs},
    {"ADC_immediate", exception_return, kOnlySubsAndMovs},
    {"ADC_register", exception_return, kOnlySubsAndMovs},
    {"SBC_immediate", exception_return, kOnlySubsAndMovs},
    {"SBC_register", exception_return, kOnlySubsAndMovs},
    {"RSC_immediate", exception_return, kOnlySubsAndMovs},
    {"RSC_register", exception_return, kOnlySubsAndMovs},
    {"ORR_immediate", exception_return, kOnlySubsAndMovs},
    {"ORR_register", exception_return, kOnlySubsAndMovs},
    {"BIC_immediate", exception_return, kOnlySubsAndMovs},
    {"BIC_register", exception_return, kOnlySubsAndMovs},
    {"MVN_immediate", exception_return, kOnlySubsAndMovs},
    {"MVN_register", exception_return, kOnlySubsAndMovs},
    {"MSR_immediate", immediate_mode_not_here, "the immediate would name a random mode"},
};

bool checks_alignment(const decoder::Row& row) {
  for (const char* p : {"LDM", "STM", "PUSH", "POP", "LDRD", "STRD", "SRS", "RFE", "SWP", "STREX"})
    if (std::string_view(row.handler_name).starts_with(p)) return true;
  return false;
}

}  // namespace

std::span<const Exclusion> core_exclusions() { return kExclusions; }

const char* core_tolerance(const Case& c, const Outcome& ours, Outcome& theirs) {
  constexpr uint32_t kAlignmentFault = 1;
  if (ours.exception == Exception::DataAbort && (ours.fault_status & 0x40f) == kAlignmentFault &&
      theirs.exception != Exception::DataAbort && (checks_alignment(*c.row) || c.code.size() > 2)) {
    return "QEMU 5.0 does not check the alignment of multiple, doubleword and failing exclusive accesses (A3.2.1)";
  }
  constexpr uint32_t kPsrBit20 = 1u << 20;
  if (std::string_view(c.row->handler_name).starts_with("MSR") && (ours.state.spsr ^ theirs.state.spsr) == kPsrBit20) {
    theirs.state.spsr = ours.state.spsr;
    if (ours.state == theirs.state) return "QEMU keeps PSR.IL of ARMv8 in an SPSR; reserved here";
  }
  constexpr uint32_t kPsrQ = 1u << 27;
  if (std::string_view(c.row->handler_name) == "SMLAD" && (ours.state.cpsr ^ theirs.state.cpsr) == kPsrQ) {
    theirs.state.cpsr = ours.state.cpsr;
    if (ours.state == theirs.state)
      return "QEMU 5.0 sets Q for the sum of the products already (A8.8.178: for the result)";
  }
  constexpr uint32_t kPsrE = 1u << 9;
  if (std::string_view(c.row->handler_name).starts_with("MSR") && (ours.state.cpsr ^ theirs.state.cpsr) == kPsrE) {
    theirs.state.cpsr = ours.state.cpsr;
    if (ours.state == theirs.state) return "QEMU 5.0 does not let User mode write PSR.E with MSR (B1.3.3 does)";
  }
  if (!c.thumb && ours.exception == Exception::None && theirs.exception == Exception::None &&
      (theirs.state.r[15] & 3) == 2 && ours.state.r[15] == (theirs.state.r[15] & ~3u)) {
    theirs.state.r[15] = ours.state.r[15];
    if (ours.state == theirs.state) return "UNPREDICTABLE: an interworking branch to an address with bits 1:0 = 10";
  }
  return nullptr;
}

}  // namespace crosswalk::differential
