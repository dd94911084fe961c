// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/guest_flags.h"

#include <iterator>

#include "translator/base/panic.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {

EflagsForm GuestFlags::form() const { return e_.config.flag_fusion ? form_ : EflagsForm::None; }

void GuestFlags::store(uint8_t live, Reg64 result) {
  auto& code = e_.code;
  if (live & 1) code.mov(state64(offsetof(CpuState, nz)), result);
  if (live & 2) {
    if (form_ == EflagsForm::Sub)
      code.setnc(state8(offsetof(CpuState, c)));
    else
      code.setc(state8(offsetof(CpuState, c)));
  }
  if (live & 4) code.seto(state8(offsetof(CpuState, v)));
}

std::optional<Condition> GuestFlags::x86_condition(uint32_t condition) const {
  constexpr uint32_t kCs = 2, kCc = 3, kHi = 8, kLs = 9;
  static constexpr Condition kSub[] = {
      kEqual,        kNotEqual,     // EQ, NE
      kAboveEqual,   kBelow,        // CS, CC
      kSign,         kNotSign,      // MI, PL
      kOverflow,     kNotOverflow,  // VS, VC
      kAbove,        kBelowEqual,   // HI, LS
      kGreaterEqual, kLess,         // GE, LT
      kGreater,      kLessEqual,    // GT, LE
  };
  if (condition >= std::size(kSub)) return {};
  switch (form()) {
    case EflagsForm::Sub: return kSub[condition];
    case EflagsForm::Add:
      if (condition == kHi || condition == kLs) return {};
      if (condition == kCs || condition == kCc) return kSub[condition ^ 1];
      return kSub[condition];
    case EflagsForm::Logic:
      return condition <= 1 || condition == 4 || condition == 5 ? std::optional(kSub[condition]) : std::nullopt;
    case EflagsForm::None: break;
  }
  return {};
}

void GuestFlags::jump_if(uint32_t condition, Label target, bool invert) {
  if (invert) condition ^= 1;  // Arm conditions come in complementary pairs
  if (const auto cc = x86_condition(condition)) return e_.labels.jcc(*cc, target);
  form_ = EflagsForm::None;  // what follows clobbers them
  jump_by_state(condition, target);
}

void GuestFlags::jump_by_state(uint32_t condition, Label target) {
  auto& c = e_.code;
  auto& labels = e_.labels;
  // Allocated before the first jump: an eviction must be on every path. Conditions that read N use
  // it.
  const Reg32 scratch = condition == 4 || condition == 5 || condition >= 10 ? e_.temp().cvt32() : Reg32();
  const auto z_is = [&](bool set, Label l) {
    c.cmp(state32(offsetof(CpuState, nz)), 0);
    labels.jcc(set ? kEqual : kNotEqual, l);
  };
  const auto flag_is = [&](size_t flag, bool set, Label l) {
    c.cmp(state8(flag), 0);
    labels.jcc(set ? kNotEqual : kEqual, l);
  };
  // Leaves N (bit 31 or bit 63 of nz) in the sign of the temporary, and in SF.
  const auto n_in_scratch = [&] {
    c.mov(scratch, state32(offsetof(CpuState, nz)));
    c.or_(scratch, state32(offsetof(CpuState, nz) + 4));
  };
  const auto n_equals_v = [&](bool equal, Label l) {
    n_in_scratch();
    c.shr(scratch, 31);
    c.cmp(scratch.cvt8(), state8(offsetof(CpuState, v)));
    labels.jcc(equal ? kEqual : kNotEqual, l);
  };
  constexpr size_t kC = offsetof(CpuState, c), kV = offsetof(CpuState, v);
  switch (condition) {
    case 0:
    case 1: z_is(condition == 0, target); break;
    case 2:
    case 3: flag_is(kC, condition == 2, target); break;
    case 4:
    case 5:
      n_in_scratch();
      labels.jcc(condition == 4 ? kSign : kNotSign, target);
      break;
    case 6:
    case 7: flag_is(kV, condition == 6, target); break;
    case 8: {  // C && !Z
      const Label no = labels.make();
      flag_is(kC, false, no);
      z_is(false, target);
      labels.bind(no);
      break;
    }
    case 9:  // !C || Z
      flag_is(kC, false, target);
      z_is(true, target);
      break;
    case 10:
    case 11: n_equals_v(condition == 10, target); break;
    case 12: {  // !Z && N == V
      const Label no = labels.make();
      z_is(true, no);
      n_equals_v(true, target);
      labels.bind(no);
      break;
    }
    case 13:
      z_is(true, target);
      n_equals_v(false, target);
      break;
    default: panic("guest flags: no such condition");
  }
}

}  // namespace crosswalk::x64
