// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/guest_flags.h"

#include <iterator>

#include "translator/base/panic.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {
namespace {

// As in the encoding (ARM DDI 0406C, A8.3): complementary pairs.
enum ArmCondition : uint32_t { kEq, kNe, kCs, kCc, kMi, kPl, kVs, kVc, kHi, kLs, kGe, kLt, kGt, kLe };

// Jumps by NZCV as CpuState has them.
class StateTests {
 public:
  // With `needs_n`, takes a temporary: before the first jump, since an eviction must be on every
  // path.
  StateTests(EmitContext& e, bool needs_n) : e_(e), n_(needs_n ? e.temp().cvt32() : Reg32()) {}

  void z_is(bool set, Label to) {
    e_.code.cmp(state32(offsetof(CpuState, nz)), 0);
    e_.labels.jcc(set ? kEqual : kNotEqual, to);
  }
  void c_is(bool set, Label to) { byte_is(offsetof(CpuState, c), set, to); }
  void v_is(bool set, Label to) { byte_is(offsetof(CpuState, v), set, to); }
  void n_is(bool set, Label to) {
    load_n();
    e_.labels.jcc(set ? kSign : kNotSign, to);
  }
  void n_equals_v(bool equal, Label to) {
    load_n();
    e_.code.shr(n_, 31);
    e_.code.cmp(n_.cvt8(), state8(offsetof(CpuState, v)));
    e_.labels.jcc(equal ? kEqual : kNotEqual, to);
  }

 private:
  void byte_is(size_t flag, bool set, Label to) {
    e_.code.cmp(state8(flag), 0);
    e_.labels.jcc(set ? kNotEqual : kEqual, to);
  }
  // Leaves N (bit 31 or bit 63 of nz) in the sign of the temporary, and in SF.
  void load_n() {
    e_.code.mov(n_, state32(offsetof(CpuState, nz)));
    e_.code.or_(n_, state32(offsetof(CpuState, nz) + 4));
  }

  EmitContext& e_;
  Reg32 n_;
};

}  // namespace

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
      return condition <= kNe || condition == kMi || condition == kPl ? std::optional(kSub[condition]) : std::nullopt;
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
  StateTests test(e_, condition == kMi || condition == kPl || condition >= kGe);
  const bool first = condition % 2 == 0;  // of its pair
  const Label no = e_.labels.make();
  switch (condition) {
    case kEq:
    case kNe: test.z_is(first, target); break;
    case kCs:
    case kCc: test.c_is(first, target); break;
    case kMi:
    case kPl: test.n_is(first, target); break;
    case kVs:
    case kVc: test.v_is(first, target); break;
    case kHi:  // C && !Z
      test.c_is(false, no);
      test.z_is(false, target);
      break;
    case kLs:  // !C || Z
      test.c_is(false, target);
      test.z_is(true, target);
      break;
    case kGe:
    case kLt: test.n_equals_v(first, target); break;
    case kGt:  // !Z && N == V
      test.z_is(true, no);
      test.n_equals_v(true, target);
      break;
    case kLe:  // Z || N != V
      test.z_is(true, target);
      test.n_equals_v(false, target);
      break;
    default: panic("guest flags: no such condition");
  }
  e_.labels.bind(no);
}

}  // namespace crosswalk::x64
