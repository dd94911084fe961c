// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/decoder/coverage.h"

#include <algorithm>

namespace crosswalk::decoder {
namespace {

constexpr UndefinedByChoice kUndefinedByChoice[] = {
    {"UDF", "permanently undefined by the architecture"},
    {"ENTERX", "no ThumbEE (ID_PFR0.State3 = 0)"},
    {"SMC", "no Security Extensions (ID_PFR1 = 0x00010001)"},
    {"ERET", "no Virtualization Extensions (ID_PFR1 = 0x00010001)"},
    {"MRS_banked", "no Virtualization Extensions (ID_PFR1 = 0x00010001)"},
    {"MSR_banked", "no Virtualization Extensions (ID_PFR1 = 0x00010001)"},
    {"CDP", "no coprocessor with data processing but VFP and Advanced SIMD, which have their own rows"},
    {"LDC", "no coprocessor with memory transfers but VFP and Advanced SIMD; DBGDTRTXint through LDC is not offered"},
    {"STC", "no coprocessor with memory transfers but VFP and Advanced SIMD; DBGDTRRXint through STC is not offered"},
    {"coprocessor_2", "the *2 forms are UNPREDICTABLE for coprocessors 14 and 15 and there are no others"},
};

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::A32: return "A32";
    case Isa::T32: return "T32";
    case Isa::T16: return "T16";
    case Isa::Vfp: return "VFP (A32 and T32)";
    case Isa::Simd: return "Advanced SIMD (A32 and T32)";
  }
  return "";
}

const UndefinedByChoice* reason_of(const Row& row) {
  for (const UndefinedByChoice& u : kUndefinedByChoice)
    if (std::string_view(row.handler_name) == u.handler_name) return &u;
  return nullptr;
}

}  // namespace

std::span<const UndefinedByChoice> undefined_by_choice() { return kUndefinedByChoice; }

size_t count_rows(Isa isa) {
  return static_cast<size_t>(std::count_if(rows().begin(), rows().end(), [&](const Row& r) { return r.isa == isa; }));
}

std::string coverage_report() {
  std::string out = "| Instruction set | Encodings | UNDEFINED by choice |\n|---|---|---|\n";
  for (Isa isa : {Isa::A32, Isa::T32, Isa::T16, Isa::Vfp, Isa::Simd}) {
    const auto undefined =
        std::count_if(rows().begin(), rows().end(), [&](const Row& r) { return r.isa == isa && reason_of(r); });
    out += std::string("| ") + isa_name(isa) + " | " + std::to_string(count_rows(isa)) + " | " +
           std::to_string(undefined) + " |\n";
  }
  out += "\n| Encoding | Pattern | Why it is UNDEFINED |\n|---|---|---|\n";
  for (const Row& r : rows())
    if (const UndefinedByChoice* u = reason_of(r))
      out += std::string("| ") + isa_name(r.isa) + " " + r.name + " | `" + r.pattern + "` | " + u->reason + " |\n";
  return out;
}

}  // namespace crosswalk::decoder
