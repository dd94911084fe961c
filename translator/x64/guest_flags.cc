// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/guest_flags.h"

#include <iterator>

#include "translator/base/panic.h"
#include "translator/x64/emit_context.h"

namespace crosswalk::x64 {
namespace {

using enum ir::ArmCondition;

// By Arm condition, what it is after SUB or CMP.
constexpr Condition kSub[] = {
    kEqual,        kNotEqual,     // EQ, NE
    kAboveEqual,   kBelow,        // CS, CC
    kSign,         kNotSign,      // MI, PL
    kOverflow,     kNotOverflow,  // VS, VC
    kAbove,        kBelowEqual,   // HI, LS
    kGreaterEqual, kLess,         // GE, LT
    kGreater,      kLessEqual,    // GT, LE
};

}  // namespace

EflagsForm GuestFlags::form() const { return e_.config.flag_fusion ? form_ : EflagsForm::None; }

bool GuestFlags::set_from(ir::Value v, EflagsForm form) {
  const bool kept = e_.config.flag_fusion && v.is_inst() && result_ == v && result_form_ == form;
  produced(kept ? form : EflagsForm::None);
  return kept;
}

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

void GuestFlags::store_no_borrow(uint8_t live, Reg64 result) {
  auto& code = e_.code;
  if (live & 1) code.mov(state64(offsetof(CpuState, nz)), result);
  static_assert(offsetof(CpuState, v) == offsetof(CpuState, c) + 1);
  switch (live & 6) {
    case 2: code.mov(state8(offsetof(CpuState, c)), 1); break;
    case 4: code.mov(state8(offsetof(CpuState, v)), 0); break;
    case 6: code.mov(state16(offsetof(CpuState, c)), 1); break;
    default: break;
  }
}

namespace {

// alu(operand) with b.
template <class F>
void with_b(const Comparison& c, F alu) {
  switch (c.kind) {
    case Comparison::Register: return alu(Reg32(static_cast<int>(c.b)));
    case Comparison::Constant: return alu(c.b);
    case Comparison::Field: return alu(state32(c.b));
  }
}

}  // namespace

void GuestFlags::compare(const Comparison& c) {
  const Reg32 a(c.a);
  if (c.of_difference) {
    if (form() != EflagsForm::Sub) panic("guest flags: a difference is not in EFLAGS");
    return;
  }
  if (c.kind == Comparison::Constant && c.b == 0) return e_.code.test(a, a);
  with_b(c, [&](const auto& b) { e_.code.cmp(a, b); });
}

void GuestFlags::store_borrow(Reg64 difference) {
  auto& code = e_.code;
  code.mov(state64(offsetof(CpuState, nz)), difference);
  code.setnc(state8(offsetof(CpuState, c)));
  code.seto(state8(offsetof(CpuState, v)));
}

void GuestFlags::store_difference(const Comparison& c, Reg32 free) {
  auto& code = e_.code;
  const Reg32 a(c.a);
  if (c.of_difference) return store_borrow(a.cvt64());
  if (c.kind == Comparison::Constant && c.b == 0) {
    code.test(a, a);
    return store_no_borrow(ir::kNzcv, a.cvt64());
  }
  code.mov(free, a);
  with_b(c, [&](const auto& b) { code.sub(free, b); });
  store_borrow(free.cvt64());
}

void GuestFlags::store_difference_and_leave(const Comparison& c, bool compared) {
  for (const int r : {kRax, kRcx, kRdx}) {
    if (r == c.a || (c.kind == Comparison::Register && static_cast<uint32_t>(r) == c.b)) continue;
    const Reg32 free(r);
    if (!c.of_difference || compared) return store_difference(c, free);
    e_.code.mov(free, Reg32(c.a));
    with_b(c, [&](const auto& b) {
      e_.code.add(free, b);  // the first operand
      e_.code.cmp(free, b);
    });
    return store_borrow(Reg64(c.a));
  }
}

std::optional<Condition> GuestFlags::x86_condition(uint32_t condition) const {
  if (condition >= std::size(kSub) || !ir::answers(form(), condition)) return {};
  switch (form()) {
    case EflagsForm::Sub:
    case EflagsForm::Logic: return kSub[condition];
    case EflagsForm::Add:
    case EflagsForm::Shift: return kSub[condition == kCs || condition == kCc ? condition ^ 1 : condition];
    case EflagsForm::Compared:  // CF is "less or unordered", ZF "equal or unordered"
      switch (condition) {
        case kVs: return kParity;
        case kVc: return kNotParity;
        case kGe: return kAboveEqual;
        case kLt: return kBelow;
        case kGt: return kAbove;
        case kLe: return kBelowEqual;
        default: return {};
      }
    case EflagsForm::None: break;
  }
  return {};
}

Condition GuestFlags::after_compare(uint32_t condition) { return kSub[condition]; }

void GuestFlags::check_stored() const {
  if (e_.values.inst().from_eflags) panic("guest flags: they are neither stored nor in EFLAGS");
}

Condition GuestFlags::condition(uint32_t arm) {
  if (const auto x86 = x86_condition(arm)) return *x86;
  check_stored();
  form_ = EflagsForm::None;  // what follows clobbers them
  result_ = {};
  return condition_by_state(arm);
}

void GuestFlags::jump_if(uint32_t condition, Label target, bool invert) {
  if (invert) condition ^= 1;  // Arm conditions come in complementary pairs
  e_.labels.jcc(this->condition(condition), target);
}

Condition GuestFlags::condition_by_state(uint32_t arm) {
  auto& code = e_.code;
  const auto nz = state32(offsetof(CpuState, nz)), nz_high = state32(offsetof(CpuState, nz) + 4);
  const auto c = state8(offsetof(CpuState, c)), v = state8(offsetof(CpuState, v));
  const bool first = arm % 2 == 0;  // of its pair
  // N is bit 31 of either half of nz, Z that the low half is 0.
  const auto load_n = [&](const Reg32& n) {
    code.mov(n, nz);
    code.or_(n, nz_high);
  };
  switch (arm) {
    case kEq:
    case kNe: code.cmp(nz, 0); return first ? kEqual : kNotEqual;
    case kCs:
    case kCc: code.cmp(c, 0); return first ? kNotEqual : kEqual;
    case kVs:
    case kVc: code.cmp(v, 0); return first ? kNotEqual : kEqual;
    default: break;
  }
  const Reg64 temporary = e_.temp();
  const Reg32 t = temporary.cvt32();
  Condition result;
  switch (arm) {
    case kMi:
    case kPl:
      load_n(t);
      result = first ? kSign : kNotSign;
      break;
    case kHi:  // C - Z is 1
    case kLs:
      code.movzx(t, c);
      code.cmp(nz, 1);
      code.sbb(t, 0);
      result = first ? kGreater : kLessEqual;
      break;
    case kGe:
    case kLt:
      load_n(t);
      code.shr(t, 31);
      code.cmp(t.cvt8(), v);
      result = first ? kEqual : kNotEqual;
      break;
    case kGt:  // (N ^ V) + Z is 0
    case kLe:
      load_n(t);
      code.shr(t, 31);
      code.xor_(t.cvt8(), v);
      code.cmp(nz, 1);
      code.adc(t, 0);
      result = first ? kEqual : kNotEqual;
      break;
    default: panic("guest flags: no such condition");
  }
  e_.release(temporary);
  return result;
}

}  // namespace crosswalk::x64
