// SPDX-License-Identifier: GPL-2.0-or-later
// Extension register loads and stores (ARM DDI 0406C, A7.6). Every access must be word-aligned,
// whatever SCTLR.A says (A3.2.1).
#include "translator/arm32/frontend/memory.h"
#include "translator/arm32/frontend/vfp_common.h"

namespace crosswalk::frontend {

using namespace vfp;

namespace {

constexpr uint8_t kWordAligned = 2;  // log2

uint32_t access(uint32_t log2_bytes) {
  ir::MemAccess m;
  m.log2_bytes = static_cast<uint8_t>(log2_bytes);
  m.align_log2 = kWordAligned;
  return m.pack();
}

Value at(TranslateContext& t, Value base, uint32_t offset) {
  return offset ? t.ir.Add(base, ir::Builder::Imm(offset)) : base;
}

// A doubleword is two words, the more significant one first when data is big-endian.
void load_double(TranslateContext& t, uint32_t d, Value va) {
  if (!t.flags.big_endian) {
    t.ir.SetD(d, t.ir.LoadX64(access(3), va));
    return;
  }
  const Value high = load(t, 2, va, false, kWordAligned), low = load(t, 2, at(t, va, 4), false, kWordAligned);
  t.ir.SetD(d, t.ir.X64FromI64(t.ir.Pack(low, high)));
}

void store_double(TranslateContext& t, uint32_t d, Value va) {
  const Value v = t.ir.GetD(d);
  if (!t.flags.big_endian) {
    t.ir.StoreX64(access(3), va, v);
    return;
  }
  const Value words = t.ir.I64FromX64(v);
  store(t, 2, va, t.ir.High(words), kWordAligned);
  store(t, 2, at(t, va, 4), t.ir.Low(words), kWordAligned);
}

void load_single(TranslateContext& t, uint32_t s, Value va) {
  if (t.flags.big_endian)
    t.ir.SetS(s, t.ir.X32FromI32(load(t, 2, va, false, kWordAligned)));
  else
    t.ir.SetS(s, t.ir.LoadX32(access(2), va));
}

void store_single(TranslateContext& t, uint32_t s, Value va) {
  if (t.flags.big_endian)
    store(t, 2, va, t.ir.I32FromX32(t.ir.GetS(s)), kWordAligned);
  else
    t.ir.StoreX32(access(2), va, t.ir.GetS(s));
}

Value address_of(TranslateContext& t, Fields<"Ui"> f, Value base) {
  const uint32_t offset = f['i'] * 4;
  return at(t, base, f['U'] ? offset : 0 - offset);
}

struct RegisterList {
  uint32_t first, count;  // S or D registers
  uint32_t bytes;         // the base register moves by this; FLDMX and FSTMX count an extra word
  bool write_back;
  Value base, start;
};

// False when the list or its base is UNPREDICTABLE.
bool register_list(TranslateContext& t, Fields<"Ddinz"> f, bool store, RegisterList& list) {
  const uint32_t n = f['n'], words = f['i'];
  list.write_back = f.word >> 21 & 1;
  list.bytes = words * 4;
  list.first = is_double(f) ? double_d(f) : single_d(f);
  list.count = is_double(f) ? words / 2 : words;
  if (list.count == 0 || list.first + list.count > 32 || (is_double(f) && list.count > 16)) return false;
  if (n == 15 && (list.write_back || (t.thumb && store))) return false;
  // P = 1, U = 0 decrements before, always with writeback.
  const bool decrement = f.word >> 24 & 1;
  t.check_fp_enabled();
  list.base = t.reg_aligned_pc(n);
  list.start = decrement ? t.ir.Sub(list.base, ir::Builder::Imm(list.bytes)) : list.base;
  return true;
}

// After the accesses, so that the base register survives an abort.
void write_back(TranslateContext& t, Fields<"n"> f, const RegisterList& list) {
  if (!list.write_back) return;
  const bool decrement = f.word >> 24 & 1;
  t.set_reg(f['n'], decrement ? list.start : t.ir.Add(list.base, ir::Builder::Imm(list.bytes)));
}

}  // namespace

HANDLER(VfpLoadRegister) {
  t.check_fp_enabled();
  const Value base = t.reg_aligned_pc(f['n']);
  const Value va = address_of(t, f, base);
  if (is_double(f))
    load_double(t, double_d(f), va);
  else
    load_single(t, single_d(f), va);
}

HANDLER(VfpStoreRegister) {
  if (f['n'] == 15 && t.thumb) return t.unpredictable();
  t.check_fp_enabled();
  const Value va = address_of(t, f, t.reg(f['n']));
  if (is_double(f))
    store_double(t, double_d(f), va);
  else
    store_single(t, single_d(f), va);
}

HANDLER(VfpLoadMultiple) {
  RegisterList list;
  if (!register_list(t, f, false, list)) return t.unpredictable();
  // Registers that make up a wider one are loaded together. (Stores are not: a wide read of
  // registers that were just written one by one would wait for them to reach the cache.)
  const bool wide = !t.flags.big_endian;
  for (uint32_t i = 0; i < list.count;) {
    const uint32_t r = list.first + i;
    const Value va = at(t, list.start, i * (is_double(f) ? 8 : 4));
    const bool pair = wide && r % 2 == 0 && i + 1 < list.count;
    if (is_double(f)) {
      if (pair)
        t.ir.SetQ(r / 2, t.ir.LoadX128(access(4), va));
      else
        load_double(t, r, va);
    } else {
      if (pair)
        t.ir.SetD(r / 2, t.ir.LoadX64(access(3), va));
      else
        load_single(t, r, va);
    }
    i += pair ? 2 : 1;
  }
  write_back(t, f, list);
}

HANDLER(VfpStoreMultiple) {
  RegisterList list;
  if (!register_list(t, f, true, list)) return t.unpredictable();
  for (uint32_t i = 0; i < list.count; i++) {
    if (is_double(f))
      store_double(t, list.first + i, at(t, list.start, i * 8));
    else
      store_single(t, list.first + i, at(t, list.start, i * 4));
  }
  write_back(t, f, list);
}

}  // namespace crosswalk::frontend
