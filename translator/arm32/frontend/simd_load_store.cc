// SPDX-License-Identifier: GPL-2.0-or-later
// Advanced SIMD element and structure loads and stores (ARM DDI 0406C, A7.7, A8.8.320-331,
// A8.8.404-412).
//
// An instruction that faults must have changed no register: all memory is read before the first
// register is written, and the base register is written last.
#include <algorithm>

#include "translator/arm32/frontend/memory.h"
#include "translator/arm32/frontend/simd_common.h"

namespace crosswalk::frontend {
namespace {

using namespace simd;

constexpr uint8_t log2_of(unsigned v) {
  uint8_t n = 0;
  while (v > 1) v >>= 1, n++;
  return n;
}

struct Access {
  unsigned d, n, m;    // first register, base, index register
  unsigned members;    // of a structure: 1-4
  unsigned inc;        // from one member's register to the next's
  unsigned size;       // log2 of an element's bytes
  unsigned alignment;  // in bytes that the instruction demands; 1: none beyond SCTLR.A's
  bool load;
};

Access fields(uint32_t w) {
  Access a{};
  a.d = (w >> 18 & 16) | (w >> 12 & 15);
  a.n = w >> 16 & 15;
  a.m = w & 15;
  a.alignment = 1;
  a.load = w >> 21 & 1;
  return a;
}

// MemAccess of an access of (1 << log2_bytes) bytes, `offset` bytes behind the first, which checks
// for all.
uint32_t access(const TranslateContext& t, const Access& a, unsigned log2_bytes, unsigned offset) {
  ir::MemAccess m;
  m.log2_bytes = static_cast<uint8_t>(log2_bytes);
  if (a.size != 2) m.element = static_cast<uint8_t>(a.size + 1);
  if (offset == 0) {
    m.align_log2 = log2_of(a.alignment);
    if (t.flags.strict_alignment) m.align_log2 = std::max<uint8_t>(m.align_log2, static_cast<uint8_t>(a.size));
  }
  return m.pack();
}

Value address(TranslateContext& t, const Access& a, unsigned offset) {
  const Value base = t.reg(a.n);
  return offset ? t.ir.Add(base, ir::Builder::Imm(offset)) : base;
}

// Rm = 15: no write-back; 13: by the bytes transferred; else by Rm.
void write_back(TranslateContext& t, const Access& a, unsigned bytes) {
  if (a.m == 15) return;
  t.set_reg(a.n, t.ir.Add(t.reg(a.n), a.m == 13 ? ir::Builder::Imm(bytes) : t.reg(a.m)));
}

// One element as the guest's endianness has it. 64-bit elements come in two words.
struct Element {
  Value low, high;
};

// What the first element's access checks; t.load and t.store add the element's own alignment where
// that counts.
uint8_t element_alignment(const Access& a, unsigned offset) { return offset == 0 ? log2_of(a.alignment) : 0; }

Element load_element(TranslateContext& t, const Access& a, unsigned offset) {
  const uint8_t align = element_alignment(a, offset);
  const Value va = address(t, a, offset);
  if (a.size < 3) return {load(t, a.size, va, false, align), {}};
  // MemU of 8 bytes with the big-endian word order: the word at the lower address is the upper one.
  const Value v = load64(t, va, align, 3);
  Value low = t.ir.Low(v), high = t.ir.High(v);
  if (t.flags.big_endian) std::swap(low, high);
  return {low, high};
}

void store_element(TranslateContext& t, const Access& a, unsigned offset, Element e) {
  const uint8_t align = element_alignment(a, offset);
  const Value va = address(t, a, offset);
  if (a.size < 3) return store(t, a.size, va, e.low, align);
  if (t.flags.big_endian) std::swap(e.low, e.high);
  store64(t, va, t.ir.Pack(e.low, e.high), align, 3);
}

Value insert(TranslateContext& t, unsigned size, unsigned index, Value vector, const Element& e) {
  if (size < 3) return t.ir.VecInsert(with(size, index), vector, e.low);
  return t.ir.VecInsert(with(2, 2 * index + 1), t.ir.VecInsert(with(2, 2 * index), vector, e.low), e.high);
}

Element extract(TranslateContext& t, unsigned size, unsigned index, Value vector) {
  if (size < 3) return {t.ir.VecExtract(with(size, index), vector), {}};
  return {t.ir.VecExtract(with(2, 2 * index), vector), t.ir.VecExtract(with(2, 2 * index + 1), vector)};
}

// ---- whole registers

// A multiple-structures form: `groups` lists of `members` registers. VLD1 is one member and up to
// four groups.
struct Multiple : Access {
  unsigned groups;
  unsigned registers() const { return members * groups; }
  unsigned bytes() const { return 8 * registers(); }
  // The register of member k in group g.
  unsigned reg(unsigned g, unsigned k) const { return d + g + k * inc; }
};

// Every element by itself.
void transfer_elements(TranslateContext& t, const Multiple& a) {
  const unsigned per_register = 8u >> a.size, bytes = 1u << a.size;
  const auto offset = [&](unsigned g, unsigned i, unsigned k) {
    return ((g * per_register + i) * a.members + k) * bytes;
  };
  Value vector[4];
  for (unsigned g = 0; g < a.groups; g++) {
    for (unsigned k = 0; k < a.members; k++) vector[g * a.members + k] = get(t, a.reg(g, k), false);
    for (unsigned i = 0; i < per_register; i++)
      for (unsigned k = 0; k < a.members; k++) {
        Value& v = vector[g * a.members + k];
        if (a.load)
          v = insert(t, a.size, i, v, load_element(t, a, offset(g, i, k)));
        else
          store_element(t, a, offset(g, i, k), extract(t, a.size, i, v));
      }
  }
  if (!a.load) return;
  for (unsigned g = 0; g < a.groups; g++)
    for (unsigned k = 0; k < a.members; k++) set(t, a.reg(g, k), false, vector[g * a.members + k]);
}

// `count` doublewords, in memory order.
void load_doublewords(TranslateContext& t, const Access& a, unsigned count, Value* out) {
  for (unsigned i = 0; i < count; i++) {
    out[i] = t.ir.LoadX64(access(t, a, 3, 8 * i), address(t, a, 8 * i));
  }
}

void store_doublewords(TranslateContext& t, const Access& a, unsigned count, const Value* in) {
  for (unsigned i = 0; i < count; i++) {
    t.ir.StoreX64(access(t, a, 3, 8 * i), address(t, a, 8 * i), in[i]);
  }
}

// VLD1, VST1: the registers as they are; an aligned pair is a Q register.
void transfer_consecutive(TranslateContext& t, const Multiple& a) {
  Value v[4];
  const auto is_quad = [&](unsigned i) { return (a.d + i) % 2 == 0 && i + 1 < a.groups; };
  const auto mem = [&](unsigned i, unsigned log2_bytes) { return access(t, a, log2_bytes, 8 * i); };
  for (unsigned i = 0; i < a.groups; i += is_quad(i) ? 2 : 1) {
    const Value va = address(t, a, 8 * i);
    if (a.load)
      v[i] = is_quad(i) ? t.ir.LoadX128(mem(i, 4), va) : t.ir.LoadX64(mem(i, 3), va);
    else if (is_quad(i))
      t.ir.StoreX128(mem(i, 4), va, t.ir.GetQ((a.d + i) / 2));
    else
      t.ir.StoreX64(mem(i, 3), va, t.ir.GetD(a.d + i));
  }
  if (!a.load) return;
  for (unsigned i = 0; i < a.groups; i += is_quad(i) ? 2 : 1) {
    if (is_quad(i))
      t.ir.SetQ((a.d + i) / 2, v[i]);
    else
      t.ir.SetD(a.d + i, v[i]);
  }
}

// VLD2, VST2.
void transfer_pairs(TranslateContext& t, const Multiple& a) {
  auto& ir = t.ir;
  Value v[4];
  if (a.load) {
    load_doublewords(t, a, a.registers(), v);
    for (size_t g = 0; g < a.groups; g++) {
      const Value both = ir.VecPair(v[2 * g], v[2 * g + 1]);
      ir.SetD(a.reg(g, 0), ir.VecLow(ir.VecEven(a.size, both, both)));
      ir.SetD(a.reg(g, 1), ir.VecLow(ir.VecOdd(a.size, both, both)));
    }
    return;
  }
  for (size_t g = 0; g < a.groups; g++) {
    const Value both = ir.VecZipLow(a.size, get(t, a.reg(g, 0), false), get(t, a.reg(g, 1), false));
    v[2 * g] = ir.VecLow(both);
    v[2 * g + 1] = ir.VecHigh(both);
  }
  store_doublewords(t, a, a.registers(), v);
}

// VLD4, VST4: pairs of pairs.
void transfer_fours(TranslateContext& t, const Multiple& a) {
  auto& ir = t.ir;
  Value v[4];
  if (a.load) {
    load_doublewords(t, a, 4, v);
    const Value first = ir.VecPair(v[0], v[1]), second = ir.VecPair(v[2], v[3]);
    // members 0 2, 1 3
    const Value even = ir.VecEven(a.size, first, second), odd = ir.VecOdd(a.size, first, second);
    ir.SetD(a.reg(0, 0), ir.VecLow(ir.VecEven(a.size, even, even)));
    ir.SetD(a.reg(0, 1), ir.VecLow(ir.VecEven(a.size, odd, odd)));
    ir.SetD(a.reg(0, 2), ir.VecLow(ir.VecOdd(a.size, even, even)));
    ir.SetD(a.reg(0, 3), ir.VecLow(ir.VecOdd(a.size, odd, odd)));
    return;
  }
  const Value even = ir.VecZipLow(a.size, get(t, a.reg(0, 0), false), get(t, a.reg(0, 2), false));
  const Value odd = ir.VecZipLow(a.size, get(t, a.reg(0, 1), false), get(t, a.reg(0, 3), false));
  const Value first = ir.VecZipLow(a.size, even, odd), second = ir.VecZipHigh(a.size, even, odd);
  v[0] = ir.VecLow(first);
  v[1] = ir.VecHigh(first);
  v[2] = ir.VecLow(second);
  v[3] = ir.VecHigh(second);
  store_doublewords(t, a, 4, v);
}

// 8 bytes picked from 24: from[i] is the position of byte i.
Value pick(TranslateContext& t, Value first16, Value last8, const unsigned (&from)[8]) {
  uint64_t in_first = 0, in_last = 0;
  for (int i = 0; i < 8; i++) {
    in_first |= uint64_t{from[i] < 16 ? from[i] : 0x80} << (8 * i);
    in_last |= uint64_t{from[i] < 16 ? 0x80 : from[i] - 16} << (8 * i);
  }
  return t.ir.VecLow(t.ir.VecOr(t.ir.append(ir::Opcode::VecShuffle, 0, in_first, {first16}),
                                t.ir.append(ir::Opcode::VecShuffle, 0, in_last, {last8})));
}

// VLD3, VST3: byte shuffles.
void transfer_threes(TranslateContext& t, const Multiple& a) {
  auto& ir = t.ir;
  const unsigned bytes = 1u << a.size;
  Value v[3];
  if (a.load)
    load_doublewords(t, a, 3, v);
  else
    for (unsigned k = 0; k < 3; k++) v[k] = ir.GetD(a.reg(0, k));
  const Value first16 = ir.VecPair(v[0], v[1]), last8 = ir.VecFromD(v[2]);
  Value out[3];
  for (unsigned r = 0; r < 3; r++) {
    unsigned from[8];
    for (unsigned i = 0; i < 8; i++) {
      const unsigned position = 8 * r + i;  // of the result, in registers or in memory
      if (a.load)
        from[i] = (i / bytes * 3 + r) * bytes + i % bytes;
      else
        from[i] = position / bytes % 3 * 8 + position / bytes / 3 * bytes + i % bytes;
    }
    out[r] = pick(t, first16, last8, from);
  }
  if (!a.load) return store_doublewords(t, a, 3, out);
  for (unsigned k = 0; k < 3; k++) ir.SetD(a.reg(0, k), out[k]);
}

void multiple(TranslateContext& t, const Multiple& a) {
  // UNPREDICTABLE: registers beyond D31, and R15 as the base.
  if (a.reg(a.groups - 1, a.members - 1) > 31 || a.n == 15) return t.unpredictable();
  t.check_simd_enabled();
  // Little-endian, bytes are where they would be if each element was transferred alone.
  if (t.flags.big_endian && a.size > 0) {
    transfer_elements(t, a);
  } else if (a.members == 1) {
    transfer_consecutive(t, a);
  } else if (!t.config.native_simd) {
    transfer_elements(t, a);
  } else {
    switch (a.members) {
      case 2: transfer_pairs(t, a); break;
      case 3: transfer_threes(t, a); break;
      default: transfer_fours(t, a); break;
    }
  }
  write_back(t, a, a.bytes());
}

Multiple multiple_fields(uint32_t w) {
  Multiple a{fields(w), 1};
  a.size = w >> 6 & 3;
  const unsigned align = w >> 4 & 3;
  a.alignment = align ? 4u << align : 1;
  a.inc = 1;
  return a;
}

void multiple1(TranslateContext& t, Fields<> f) {
  Multiple a = multiple_fields(f.word);
  const unsigned align = f.word >> 4 & 3;
  a.members = 1;
  bool undefined = false;
  switch (f.word >> 8 & 15) {
    case 0b0111: a.groups = 1, undefined = align & 2; break;
    case 0b1010: a.groups = 2, undefined = align == 3; break;
    case 0b0110: a.groups = 3, undefined = align & 2; break;
    default: a.groups = 4; break;
  }
  if (undefined) return t.undefined();
  multiple(t, a);
}

void multiple2(TranslateContext& t, Fields<> f) {
  Multiple a = multiple_fields(f.word);
  const unsigned type = f.word >> 8 & 15;
  a.members = 2;
  bool undefined = a.size == 3;
  if (type == 0b0011) {
    a.groups = 2, a.inc = 2;
  } else {
    a.inc = type == 0b1001 ? 2 : 1;
    undefined |= (f.word >> 4 & 3) == 3;
  }
  if (undefined) return t.undefined();
  multiple(t, a);
}

void multiple3(TranslateContext& t, Fields<> f) {
  Multiple a = multiple_fields(f.word);
  a.members = 3;
  a.inc = f.word >> 8 & 1 ? 2 : 1;
  if (a.size == 3 || f.word >> 5 & 1) return t.undefined();
  multiple(t, a);
}

void multiple4(TranslateContext& t, Fields<> f) {
  Multiple a = multiple_fields(f.word);
  a.members = 4;
  a.inc = f.word >> 8 & 1 ? 2 : 1;
  if (a.size == 3) return t.undefined();
  multiple(t, a);
}

// ---- one element of each register

struct Lane : Access {
  unsigned index;
};

// index_align (A8.8.321, 324, 327, 330). False: UNDEFINED.
bool lane_fields(uint32_t w, unsigned members, Lane& a) {
  a = Lane{fields(w), 0};
  a.members = members;
  a.size = w >> 10 & 3;
  const unsigned ia = w >> 4 & 15;
  a.index = ia >> (a.size + 1);
  a.inc = 1;
  if (members > 1 && a.size > 0) a.inc = ia >> a.size & 1 ? 2 : 1;
  const unsigned bytes = 1u << a.size;
  switch (members) {
    case 1:
      if (a.size == 0 && ia & 1) return false;
      if (a.size == 1) {
        if (ia & 2) return false;
        a.alignment = ia & 1 ? 2 : 1;
      }
      if (a.size == 2) {
        const unsigned align = ia & 3;
        if (ia & 4 || (align != 0 && align != 3)) return false;
        a.alignment = align ? 4 : 1;
      }
      return true;
    case 2:
      if (a.size == 2 && ia & 2) return false;
      a.alignment = ia & 1 ? 2 * bytes : 1;
      return true;
    case 3:
      if (a.size == 2 ? (ia & 3) != 0 : (ia & 1) != 0) return false;
      return true;
    default:
      if (a.size == 2) {
        if ((ia & 3) == 3) return false;
        a.alignment = ia & 3 ? 4u << (ia & 3) : 1;
      } else {
        a.alignment = ia & 1 ? 4 * bytes : 1;
      }
      return true;
  }
}

void single(TranslateContext& t, Fields<> f, unsigned members) {
  Lane a;
  if (!lane_fields(f.word, members, a)) return t.undefined();
  if (a.d + a.inc * (members - 1) > 31 || a.n == 15) return t.unpredictable();
  t.check_simd_enabled();
  Element e[4];
  for (unsigned k = 0; k < members; k++) {
    const unsigned offset = k << a.size;
    if (a.load)
      e[k] = load_element(t, a, offset);
    else
      store_element(t, a, offset, extract(t, a.size, a.index, get(t, a.d + k * a.inc, false)));
  }
  if (a.load)
    for (unsigned k = 0; k < members; k++) {
      const unsigned d = a.d + k * a.inc;
      set(t, d, false, insert(t, a.size, a.index, get(t, d, false), e[k]));
    }
  write_back(t, a, members << a.size);
}

// ---- to all lanes

void all_lanes(TranslateContext& t, Fields<> f, unsigned members) {
  Access a = fields(f.word);
  a.members = members;
  a.size = f.word >> 6 & 3;
  const bool two = f.word >> 5 & 1, align = f.word >> 4 & 1;  // T, a
  a.inc = two ? 2 : 1;
  unsigned registers = 1;  // to be written with each member
  switch (members) {
    case 1:
      if (a.size == 3 || (a.size == 0 && align)) return t.undefined();
      a.alignment = align ? 1u << a.size : 1;
      registers = two ? 2 : 1;
      break;
    case 2:
      if (a.size == 3) return t.undefined();
      a.alignment = align ? 2u << a.size : 1;
      break;
    case 3:
      if (a.size == 3 || align) return t.undefined();
      break;
    default:
      if (a.size == 3 && !align) return t.undefined();
      if (a.size == 3)
        a.size = 2, a.alignment = 16;
      else
        a.alignment = !align ? 1 : a.size == 2 ? 8 : 4u << a.size;
      break;
  }
  if ((members == 1 ? a.d + registers - 1 : a.d + a.inc * (members - 1)) > 31 || a.n == 15) return t.unpredictable();
  t.check_simd_enabled();
  Element e[4];
  for (unsigned k = 0; k < members; k++) e[k] = load_element(t, a, k << a.size);
  for (unsigned k = 0; k < members; k++) {
    const Value v = t.ir.VecDupReg(a.size, e[k].low);
    for (unsigned r = 0; r < registers; r++) set(t, a.d + k * a.inc + r, false, v);
  }
  write_back(t, a, members << a.size);
}

}  // namespace

HANDLER(SimdVLD1_multiple) { multiple1(t, f); }
HANDLER(SimdVLD2_multiple) { multiple2(t, f); }
HANDLER(SimdVLD3_multiple) { multiple3(t, f); }
HANDLER(SimdVLD4_multiple) { multiple4(t, f); }
HANDLER(SimdVST1_multiple) { multiple1(t, f); }
HANDLER(SimdVST2_multiple) { multiple2(t, f); }
HANDLER(SimdVST3_multiple) { multiple3(t, f); }
HANDLER(SimdVST4_multiple) { multiple4(t, f); }

HANDLER(SimdVLD1_single) { single(t, f, 1); }
HANDLER(SimdVLD2_single) { single(t, f, 2); }
HANDLER(SimdVLD3_single) { single(t, f, 3); }
HANDLER(SimdVLD4_single) { single(t, f, 4); }
HANDLER(SimdVST1_single) { single(t, f, 1); }
HANDLER(SimdVST2_single) { single(t, f, 2); }
HANDLER(SimdVST3_single) { single(t, f, 3); }
HANDLER(SimdVST4_single) { single(t, f, 4); }

HANDLER(SimdVLD1_all_lanes) { all_lanes(t, f, 1); }
HANDLER(SimdVLD2_all_lanes) { all_lanes(t, f, 2); }
HANDLER(SimdVLD3_all_lanes) { all_lanes(t, f, 3); }
HANDLER(SimdVLD4_all_lanes) { all_lanes(t, f, 4); }

}  // namespace crosswalk::frontend
