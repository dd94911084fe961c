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
  if (b.wback) new_base = element_address(t, base, b.last_offset());
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
// SP and LR in every mode but User and System.
constexpr bool has_user_bank(uint32_t n) { return n >= 8 && n <= 14; }
void set_user_register(TranslateContext& t, uint32_t n, Value v) {
  if (has_user_bank(n))
    t.ir.SetUserReg(n, v);
  else
    t.set_reg(n, v);
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

// User mode may not ask for its own bank: UNPREDICTABLE, UNDEFINED here.
HANDLER(STM_user) {
  const Block b = user_block(f);
  if (is_unpredictable(b)) return t.unpredictable();
  t.require_privileged();
  const Value base = t.reg(b.n);
  uint32_t offset = b.first_offset();
  uint8_t align = 2;
  for (uint32_t i = 0; i < 16; i++) {
    if (!(b.list >> i & 1)) continue;
    const Value v = has_user_bank(i) ? t.ir.GetUserReg(i) : t.reg(i);
    store(t, 2, element_address(t, base, offset), v, align);
    offset += 4;
    align = 0;
  }
}

HANDLER(LDM_user) {
  const Block b = user_block(f);
  if (is_unpredictable(b)) return t.unpredictable();
  t.require_privileged();
  const Value base = t.reg(b.n);
  uint32_t offset = b.first_offset();
  uint8_t align = 2;
  Value base_value;  // of the base register's User mode namesake, written last
  for (uint32_t i = 0; i < 15; i++) {
    if (!(b.list >> i & 1)) continue;
    const Value v = load(t, 2, element_address(t, base, offset), false, align);
    offset += 4;
    align = 0;
    if (i == b.n)
      base_value = v;
    else
      set_user_register(t, i, v);
  }
  if (!base_value.is_none()) set_user_register(t, b.n, base_value);
}

HANDLER(LDM_exception_return) {
  const Block b{f['n'], f['r'] | 0x8000, f['U'] != 0, f['P'] != 0, f['W'] != 0};
  if (is_unpredictable(b) || (b.wback && (b.list >> b.n & 1))) return t.unpredictable();
  t.require_privileged();
  const Value mode = t.ir.LoadState8(offsetof(CpuState, mode));
  t.undefined_if(t.ir.Equal(mode, imm32(static_cast<uint32_t>(Mode::System))));  // it has no SPSR
  t.call_and_leave(&helpers::exception_return, load_registers(t, b));
}

}  // namespace crosswalk::frontend
