// SPDX-License-Identifier: GPL-2.0-or-later
// LDM and STM (ARM DDI 0406C, A5.5, A6.3.5, B9.3). Loaded registers other than the base and the PC
// are written as they are loaded; the base only when nothing can fault any more, so that an abort
// restarts the instruction.
#include <bit>
#include <cstddef>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/frontend/memory.h"
#include "translator/arm32/frontend/operands.h"
#include "translator/arm32/helpers/helpers.h"

namespace crosswalk::frontend {
namespace {

struct Block {
  uint32_t n;
  uint32_t list;
  bool increment;  // U
  bool before;     // P
  bool wback;
  uint32_t bytes() const { return 4 * static_cast<uint32_t>(std::popcount(list)); }
  // Of the lowest register, from the base.
  uint32_t first_offset() const {
    const uint32_t start = increment ? 0 : 0 - bytes();
    return before == increment ? start + 4 : start;
  }
  uint32_t last_offset() const { return increment ? bytes() : 0 - bytes(); }
};

// Field r is a whole list, or T16's with LR or PC as a ninth bit.
Block block_of(Fields<"r?Wn"> f, bool increment, bool before, uint32_t ninth_register) {
  Block b{f.get('n', 13), f['r'], increment, before, f.get('W', 1) != 0};
  if (f.row->isa == Isa::T16 && b.list > 0xff) b.list = (b.list & 0xff) | 1u << ninth_register;
  return b;
}

bool is_unpredictable(const Block& b) { return b.list == 0 || b.n == 15; }
// T32 is stricter: two registers at least, no SP, no PC to store, and not both LR and PC to load.
bool is_unpredictable_t32(const TranslateContext& t, const Block& b, bool load) {
  if (!t.thumb || t.bytes != 4) return false;
  const bool bad_pc = load ? (b.list & 0xc000) == 0xc000 : (b.list & 0x8000) != 0;
  return bad_pc || (b.list & 0x2000) || std::popcount(b.list) < 2 || (b.wback && (b.list >> b.n & 1));
}

Value element_address(TranslateContext& t, Value base, uint32_t offset) { return t.ir.Add(base, imm32(offset)); }

void store_multiple(TranslateContext& t, const Block& b) {
  if (is_unpredictable(b) || is_unpredictable_t32(t, b, false)) return t.unpredictable();
  const Value base = t.reg(b.n);
  uint32_t offset = b.first_offset();
  uint8_t align = 2;  // the others follow from the first
  for (uint32_t i = 0; i < 16; i++) {
    if (!(b.list >> i & 1)) continue;
    store(t, 2, element_address(t, base, offset), i == b.n ? base : t.reg(i), align);
    offset += 4;
    align = 0;
  }
  if (b.wback) t.set_reg(b.n, element_address(t, base, b.last_offset()));
}

// Loads all registers of the list but R15, whose loaded value is returned; writes the base back.
Value load_registers(TranslateContext& t, const Block& b) {
  const Value base = t.reg(b.n);
  uint32_t offset = b.first_offset();
  uint8_t align = 2;
  Value new_base, new_pc;
  if (b.wback) new_base = element_address(t, base, b.last_offset());
  for (uint32_t i = 0; i < 16; i++) {
    if (!(b.list >> i & 1)) continue;
    const Value v = load(t, 2, element_address(t, base, offset), false, align);
    if (i == b.n)
      new_base = v;
    else if (i == 15)
      new_pc = v;
    else
      t.set_reg(i, v);
    offset += 4;
    align = 0;
  }
  if (!new_base.is_none()) t.set_reg(b.n, new_base);
  return new_pc;
}

void load_multiple(TranslateContext& t, const Block& b) {
  if (is_unpredictable(b) || is_unpredictable_t32(t, b, true)) return t.unpredictable();
  if (b.wback && (b.list >> b.n & 1)) return t.unpredictable();
  const Value new_pc = load_registers(t, b);
  if (!new_pc.is_none()) t.bx_write_pc(new_pc);
}

// Where a User mode register lives depends on the mode at run time: r8-r12 are apart in FIQ mode,
// SP and LR in every mode but User and System. User mode may not ask for its own bank:
// UNPREDICTABLE, UNDEFINED here.
struct UserBank {
  Value fiq;     // 1 in FIQ mode
  Value shared;  // 1 in System mode: SP and LR are User's
};
UserBank user_bank(TranslateContext& t, uint32_t list) {
  UserBank bank;
  const Value mode = t.ir.LoadState8(offsetof(CpuState, mode));
  const auto is = [&](Mode m) { return t.ir.Equal(mode, imm32(static_cast<uint32_t>(m))); };
  t.undefined_if(is(Mode::User));
  if (list & 0x1f00) bank.fiq = is(Mode::Fiq);
  if (list & 0x6000) bank.shared = is(Mode::System);
  return bank;
}
uint32_t user_bank_offset(uint32_t n) {
  if (n == 13) return offsetof(CpuState, banked.r13[kBankUser]);
  if (n == 14) return offsetof(CpuState, banked.r14[kBankUser]);
  return offsetof(CpuState, banked.r8_12_user) + size_t{4} * (n - 8);
}

Block user_block(Fields<"PUnr"> f) { return {f['n'], f['r'], f['U'] != 0, f['P'] != 0, false}; }

}  // namespace

HANDLER(STM) { store_multiple(t, block_of(f, true, false, 14)); }
HANDLER(STMDA) { store_multiple(t, block_of(f, false, false, 14)); }
HANDLER(STMDB) { store_multiple(t, block_of(f, false, true, 14)); }
HANDLER(STMIB) { store_multiple(t, block_of(f, true, true, 14)); }
HANDLER(PUSH) { store_multiple(t, block_of(f, false, true, 14)); }

HANDLER(LDM) {
  Block b = block_of(f, true, false, 15);
  if (f.row->isa == Isa::T16) b.wback = !(b.list >> b.n & 1);
  load_multiple(t, b);
}
HANDLER(LDMDA) { load_multiple(t, block_of(f, false, false, 15)); }
HANDLER(LDMDB) { load_multiple(t, block_of(f, false, true, 15)); }
HANDLER(LDMIB) { load_multiple(t, block_of(f, true, true, 15)); }
HANDLER(POP) { load_multiple(t, block_of(f, true, false, 15)); }

HANDLER(STM_user) {
  const Block b = user_block(f);
  if (is_unpredictable(b)) return t.unpredictable();
  const Value base = t.reg(b.n);
  const UserBank bank = user_bank(t, b.list);
  uint32_t offset = b.first_offset();
  uint8_t align = 2;
  for (uint32_t i = 0; i < 16; i++) {
    if (!(b.list >> i & 1)) continue;
    Value v = t.reg(i);
    if (i >= 8 && i <= 12) v = t.ir.Choose(bank.fiq, t.ir.LoadState32(user_bank_offset(i)), v);
    if (i == 13 || i == 14) v = t.ir.Choose(bank.shared, v, t.ir.LoadState32(user_bank_offset(i)));
    store(t, 2, element_address(t, base, offset), v, align);
    offset += 4;
    align = 0;
  }
}

HANDLER(LDM_user) {
  const Block b = user_block(f);
  if (is_unpredictable(b)) return t.unpredictable();
  const Value base = t.reg(b.n);
  const UserBank bank = user_bank(t, b.list);
  uint32_t offset = b.first_offset();
  uint8_t align = 2;
  // Writes v to the bank when `banked` (1 or 0), else to the current register.
  const auto write = [&](uint32_t i, Value banked, Value v) {
    const Value old = t.ir.LoadState32(user_bank_offset(i));
    t.ir.StoreState32(user_bank_offset(i), t.ir.Choose(banked, v, old));
    t.set_reg(i, t.ir.Choose(banked, t.reg(i), v));
  };
  Value base_value;  // of the base register's User mode namesake, written last
  for (uint32_t i = 0; i < 15; i++) {
    if (!(b.list >> i & 1)) continue;
    const Value v = load(t, 2, element_address(t, base, offset), false, align);
    offset += 4;
    align = 0;
    if (i == b.n)
      base_value = v;
    else if (i < 8)
      t.set_reg(i, v);
    else if (i <= 12)
      write(i, bank.fiq, v);
    else
      write(i, t.ir.Equal(bank.shared, imm32(0)), v);
  }
  if (base_value.is_none()) return;
  if (b.n < 8)
    t.set_reg(b.n, base_value);
  else if (b.n <= 12)
    write(b.n, bank.fiq, base_value);
  else
    write(b.n, t.ir.Equal(bank.shared, imm32(0)), base_value);
}

HANDLER(LDM_exception_return) {
  const Block b{f['n'], f['r'] | 0x8000, f['U'] != 0, f['P'] != 0, f['W'] != 0};
  if (is_unpredictable(b) || (b.wback && (b.list >> b.n & 1))) return t.unpredictable();
  t.ir.call(&helpers::require_spsr, ir::kCallMayExit);
  t.call_and_leave(&helpers::exception_return, load_registers(t, b));
}

}  // namespace crosswalk::frontend
