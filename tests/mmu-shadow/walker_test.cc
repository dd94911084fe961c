// SPDX-License-Identifier: GPL-2.0-or-later
// The walker against tables built by hand. Expected permissions come from the manual's tables
// written out below, not from the walker's own arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "mmu-shadow/walker/walk_memo.h"
#include "tests/mmu-shadow/test_memory.h"

namespace crosswalk::mmu::test {
namespace {

constexpr uint64_t kRam = 0x40000000;
constexpr uint32_t kL1 = 0x40004000, kL2 = 0x40008000, kL3 = 0x4000c000;

class Walker : public ::testing::Test {
 protected:
  Walker() : memory(32 << 20, kRam) {}

  static cw_regime short_regime() {
    cw_regime r{};
    r.sctlr = CW_SCTLR_M;
    r.ttbr0 = kL1 | 0x4a;  // walk attributes in the low bits do not matter
    r.dacr = 0x55555555;
    return r;
  }
  static cw_regime long_regime() {
    cw_regime r{};
    r.sctlr = CW_SCTLR_M;
    r.ttbcr = CW_TTBCR_EAE;
    r.ttbr0 = uint64_t{0x12} << 48 | kL1;
    r.ttbr1 = uint64_t{0x34} << 48 | kL2;
    r.prrr = 0xff440400;  // MAIR0: strongly-ordered, device, non-cacheable, write-back
    r.nmrr = 0x00bb00aa;
    return r;
  }
  // "rwx" of PL1 then PL0, as a permission set.
  static unsigned permissions(const std::string& s) {
    unsigned p = 0;
    for (unsigned i = 0; i < 6; i++)
      if (s[i] != '-') p |= 1u << i;
    return p;
  }

  TestMemory memory;
};

enum ShortEntry { kSection, kSupersection, kSmall, kLarge };

struct ShortBits {
  unsigned ap, xn, pxn, ng = 0, s = 0, tex = 0, cb = 0, domain = 0, ns = 0;
};

// Writes the descriptors for `va` into the L1 at kL1 and the L2 at kL2.
void write_short(TestMemory& m, ShortEntry kind, uint32_t va, uint64_t pa, const ShortBits& b) {
  const uint32_t ap10 = b.ap & 3, ap2 = b.ap >> 2;
  const uint32_t l1 = kL1 + (va >> 20) * 4, l2 = kL2 + (va >> 12 & 0xff) * 4;
  if (kind == kSection || kind == kSupersection) {
    uint32_t d =
        2 | b.pxn | b.cb << 2 | b.xn << 4 | ap10 << 10 | b.tex << 12 | ap2 << 15 | b.s << 16 | b.ng << 17 | b.ns << 19;
    if (kind == kSection)
      d |= static_cast<uint32_t>(pa & 0xfff00000) | b.domain << 5;
    else
      d |= 1u << 18 | static_cast<uint32_t>(pa & 0xff000000) | static_cast<uint32_t>(pa >> 32 & 15) << 20 |
           static_cast<uint32_t>(pa >> 36 & 15) << 5;
    m.write32(l1, d);
    return;
  }
  m.write32(l1, kL2 | 1 | b.pxn << 2 | b.ns << 3 | b.domain << 5);
  uint32_t d = b.cb << 2 | ap10 << 4 | ap2 << 9 | b.s << 10 | b.ng << 11;
  if (kind == kSmall)
    d |= 2 | b.xn | b.tex << 6 | static_cast<uint32_t>(pa & 0xfffff000);
  else
    d |= 1 | b.xn << 15 | b.tex << 12 | static_cast<uint32_t>(pa & 0xffff0000);
  m.write32(l2, d);
}

// Tables B3-8 and B3-9: read and write of PL1, then of PL0.
const char* const kApModel[8] = {"--,--", "rw,--", "rw,r-", "rw,rw", "--,--", "r-,--", "r-,r-", "r-,r-"};
const char* const kAfeModel[4] = {"rw,--", "rw,rw", "r-,--", "r-,r-"};

// What an access of `kind` at a privilege may do, from the two letters of that privilege and those
// of PL0.
bool allowed(const char* model, unsigned kind, bool privileged, bool xn, bool pxn, bool wxn, bool uwxn) {
  const char* own = privileged ? model : model + 3;
  if (kind == CW_LOAD) return own[0] == 'r';
  if (kind == CW_STORE) return own[1] == 'w';
  if (own[0] != 'r' || xn) return false;
  if (wxn && own[1] == 'w') return false;
  if (privileged && (pxn || (uwxn && model[4] == 'w'))) return false;
  return true;
}

TEST_F(Walker, ShortPermissionsEnumerated) {
  const uint32_t va = 0x12345678;
  uint64_t cases = 0;
  for (unsigned kind_of_entry = 0; kind_of_entry < 4; kind_of_entry++)
    for (unsigned bits = 0; bits < 1u << 11; bits++) {
      const unsigned ap = bits & 7, domain_access = bits >> 3 & 3;
      const bool xn = bits >> 5 & 1, pxn = bits >> 6 & 1, afe = bits >> 7 & 1, wxn = bits >> 8 & 1,
                 uwxn = bits >> 9 & 1;
      const bool ng = bits >> 10 & 1;
      const auto entry = static_cast<ShortEntry>(kind_of_entry);
      const unsigned domain = entry == kSupersection ? 0 : 5;
      const unsigned level = entry <= kSupersection ? 1 : 2;
      write_short(memory, entry, va, 0x41000000, {.ap = ap, .xn = xn, .pxn = pxn, .ng = ng, .domain = domain});
      cw_regime r = short_regime();
      r.dacr = domain_access << (2 * domain);
      r.sctlr |= (afe ? CW_SCTLR_AFE : 0) | (wxn ? CW_SCTLR_WXN : 0) | (uwxn ? CW_SCTLR_UWXN : 0);
      for (unsigned kind = CW_LOAD; kind <= CW_FETCH; kind++)
        for (unsigned privileged = 0; privileged < 2; privileged++) {
          uint32_t expected = 0;  // FSR, 0 when allowed
          const uint32_t domain_field = kind == CW_FETCH ? 0 : domain << 4, wnr = kind == CW_STORE ? 0x800 : 0;
          if (afe && !(ap & 1))
            expected = (level == 1 ? 0x3 : 0x6) | domain_field | wnr;
          else if (domain_access == 0 || domain_access == 2)
            expected = (level == 1 ? 0x9 : 0xb) | domain_field | wnr;
          else if (domain_access == 1 &&
                   !allowed(afe ? kAfeModel[ap >> 1] : kApModel[ap], kind, privileged, xn, pxn, wxn, uwxn))
            expected = (level == 1 ? 0xd : 0xf) | domain_field | wnr;
          const cw_result out = memory.walk(r, va, kind, privileged);
          cases++;
          ASSERT_EQ(out.fsr, expected) << "entry " << kind_of_entry << " bits " << bits << " kind " << kind
                                       << " privileged " << privileged;
          ASSERT_EQ(out.fault == CW_FAULT_NONE, expected == 0);
          ASSERT_EQ(out.ng, ng);
          ASSERT_EQ(out.domain, domain);
          ASSERT_EQ(out.levels_read, level);
          const unsigned size[] = {20, 24, 12, 16};
          ASSERT_EQ(out.log2_size, size[entry]);
          ASSERT_EQ(out.pa, 0x41000000 + (va & ((1u << size[entry]) - 1)));
        }
    }
  EXPECT_EQ(cases, 4u * 2048 * 6);
}

TEST_F(Walker, LongPermissionsEnumerated) {
  const uint32_t va = 0x12345678;
  for (unsigned level = 1; level <= 3; level++)
    for (unsigned bits = 0; bits < 1u << 11; bits++) {
      unsigned ap = bits & 3;
      const bool xn = bits >> 2 & 1, pxn = bits >> 3 & 1, af = bits >> 4 & 1, wxn = bits >> 5 & 1, uwxn = bits >> 6 & 1;
      // PXNTable, XNTable, APTable[0], APTable[1]
      const uint64_t table_bits = level == 1 ? 0 : bits >> 7;
      // With two levels of tables, each has half of the bits: they accumulate.
      const uint64_t leaf =
          uint64_t{xn} << 54 | uint64_t{pxn} << 53 | uint64_t{1} << 52 | uint64_t{af} << 10 | ap << 6 | 3u << 2;
      const uint64_t l1 = kL1 + (va >> 30) * 8, l2 = kL2 + (va >> 21 & 511) * 8, l3 = kL3 + (va >> 12 & 511) * 8;
      if (level == 1) {
        memory.write64(l1, leaf | 1 | 0x40000000);
      } else if (level == 2) {
        memory.write64(l1, table_bits << 59 | kL2 | 3);
        memory.write64(l2, leaf | 1 | 0x41000000);
      } else {
        memory.write64(l1, (table_bits & 5) << 59 | kL2 | 3);
        memory.write64(l2, (table_bits & 10) << 59 | kL3 | 3);
        memory.write64(l3, leaf | 3 | 0x41000000);
      }
      cw_regime r = long_regime();
      r.dacr = 0;  // not used
      r.sctlr |= (wxn ? CW_SCTLR_WXN : 0) | (uwxn ? CW_SCTLR_UWXN : 0);
      if (table_bits & 8) ap |= 2;
      if (table_bits & 4) ap &= ~1u;
      for (unsigned kind = CW_LOAD; kind <= CW_FETCH; kind++)
        for (unsigned privileged = 0; privileged < 2; privileged++) {
          uint32_t expected = 0;
          const uint32_t wnr = kind == CW_STORE ? 0x800 : 0;
          if (!af)
            expected = 0x200 | (0x08 + level) | wnr;
          else if (!allowed(kAfeModel[ap], kind, privileged, xn || (table_bits & 2), pxn || (table_bits & 1), wxn,
                            uwxn))
            expected = 0x200 | (0x0c + level) | wnr;
          const cw_result out = memory.walk(r, va, kind, privileged);
          ASSERT_EQ(out.fsr, expected) << "level " << level << " bits " << bits << " kind " << kind << " privileged "
                                       << privileged;
          ASSERT_EQ(out.fault == CW_FAULT_NONE, expected == 0);
          ASSERT_EQ(out.levels_read, level);
          const unsigned size = 39 - 9 * level;
          ASSERT_EQ(out.log2_size, size);
          ASSERT_EQ(out.pa, (level == 1 ? 0x40000000u : 0x41000000u) + (va & ((1u << size) - 1)));
        }
    }
}

TEST_F(Walker, ShortFaultCodes) {
  cw_regime r = short_regime();
  const uint32_t va = 0x00300000;
  const auto fsr = [&](unsigned kind) { return memory.walk(r, va, kind, true).fsr; };
  EXPECT_EQ(fsr(CW_LOAD), 0x005u);  // translation, first level
  EXPECT_EQ(fsr(CW_STORE), 0x805u);
  EXPECT_EQ(fsr(CW_FETCH), 0x005u);
  memory.write32(kL1 + 3 * 4, kL2 | 1 | 0xa << 5);
  EXPECT_EQ(fsr(CW_LOAD), 0x0a7u);  // translation, second level, with the domain
  EXPECT_EQ(fsr(CW_STORE), 0x8a7u);
  EXPECT_EQ(fsr(CW_FETCH), 0x007u);
  memory.write32(kL1 + 3 * 4, 0x10000000 | 1 | 0xa << 5);
  EXPECT_EQ(fsr(CW_LOAD), 0x0aeu);  // external abort on walk, second level
  EXPECT_EQ(fsr(CW_STORE), 0x8aeu);
  EXPECT_EQ(fsr(CW_FETCH), 0x00eu);
  r.ttbr0 = 0x3fffc000;
  EXPECT_EQ(fsr(CW_LOAD), 0x00cu);  // first level
  EXPECT_EQ(fsr(CW_STORE), 0x80cu);
  EXPECT_EQ(memory.walk(r, va, CW_LOAD, true).levels_read, 1);
  r.ttbcr = CW_TTBCR_PD0;
  EXPECT_EQ(fsr(CW_LOAD), 0x005u);
  EXPECT_EQ(memory.walk(r, va, CW_LOAD, true).levels_read, 0);
  EXPECT_EQ(cw_fsr(0, CW_FAULT_ALIGNMENT, 0, 0, CW_STORE), 0x801u);
  EXPECT_EQ(cw_fsr(0, CW_FAULT_EXTERNAL, 0, 0, CW_LOAD), 0x008u);
  EXPECT_EQ(cw_fsr(0, CW_FAULT_DEBUG, 0, 0, CW_FETCH), 0x002u);
}

TEST_F(Walker, LongFaultCodes) {
  cw_regime r = long_regime();
  const uint32_t va = 0x40300000;
  const auto fsr = [&](unsigned kind) { return memory.walk(r, va, kind, true).fsr; };
  EXPECT_EQ(fsr(CW_LOAD), 0x205u);
  memory.write64(kL1 + 8, kL2 | 3);
  EXPECT_EQ(fsr(CW_STORE), 0xa06u);
  memory.write64(kL2 + 8, kL3 | 3);
  EXPECT_EQ(fsr(CW_FETCH), 0x207u);
  // a block in the third level is invalid
  memory.write64(kL3 + 0x100 * 8, 0x41000000 | 1 << 10 | 1);
  EXPECT_EQ(fsr(CW_LOAD), 0x207u);
  memory.write64(kL3 + 0x100 * 8, 0x41000000 | 1 << 10 | 3);
  EXPECT_EQ(fsr(CW_LOAD), 0u);
  memory.write64(kL2 + 8, 0x10000000 | 3);
  EXPECT_EQ(fsr(CW_LOAD), 0x217u);
  EXPECT_EQ(fsr(CW_STORE), 0xa17u);
  memory.write64(kL1 + 8, 0xf000000000 | 3);
  EXPECT_EQ(fsr(CW_LOAD), 0x216u);
  r.ttbr0 = 0x8000000000;
  EXPECT_EQ(fsr(CW_LOAD), 0x215u);
  r.ttbcr |= CW_TTBCR_EPD0;
  EXPECT_EQ(fsr(CW_LOAD), 0x205u);
  EXPECT_EQ(cw_fsr(1, CW_FAULT_ALIGNMENT, 0, 0, CW_STORE), 0xa21u);
  EXPECT_EQ(cw_fsr(1, CW_FAULT_EXTERNAL, 0, 0, CW_LOAD), 0x210u);
  EXPECT_EQ(cw_fsr(1, CW_FAULT_DEBUG, 0, 0, CW_FETCH), 0x222u);
}

TEST_F(Walker, TtbcrNSplitsTheAddressSpace) {
  const uint32_t low_table = 0x40010000, high_table = 0x40014000;
  for (unsigned n = 0; n <= 7; n++) {
    cw_regime r = short_regime();
    r.ttbcr = n;
    r.ttbr0 = low_table + (n ? 1u << (14 - n) : 0);  // only aligned to its own size
    r.ttbr1 = high_table | 0x4a;
    for (const uint32_t va :
         {0u, 0x00100000u, 0x01f00000u, 0x02000000u, 0x03f00000u, 0x04000000u, 0x7ff00000u, 0x80000000u, 0xfff00000u}) {
      const bool low = n == 0 || va < 1ull << (32 - n);
      const uint32_t at = (low ? static_cast<uint32_t>(r.ttbr0) : high_table) + (va >> 20) * 4;
      memory.write32(at, 0x41000000 | 2 | 3 << 10);
      EXPECT_EQ(memory.walk(r, va + 0x1234, CW_LOAD, false).pa, 0x41001234u) << n << " " << va;
      r.ttbcr = n | (low ? CW_TTBCR_PD0 : CW_TTBCR_PD1);
      EXPECT_EQ(memory.walk(r, va, CW_LOAD, false).fsr, 0x005u);
      r.ttbcr = n | (low ? CW_TTBCR_PD1 : CW_TTBCR_PD0);
      EXPECT_EQ(memory.walk(r, va, CW_LOAD, false).fsr, 0u);
      r.ttbcr = n;
      memory.write32(at, 0);
    }
  }
}

TEST_F(Walker, T0szAndT1szSplitTheAddressSpace) {
  // Expected by the definition of the two regions; -1: neither.
  for (unsigned t0 = 0; t0 <= 7; t0++)
    for (unsigned t1 = 0; t1 <= 7; t1++)
      for (const uint32_t va :
           {0u, 0x00200000u, 0x01e00000u, 0x02000000u, 0x1fe00000u, 0x20000000u, 0x3fe00000u, 0x40000000u, 0x7fe00000u,
            0x80000000u, 0xbfe00000u, 0xc0000000u, 0xe0000000u, 0xfc000000u, 0xfe000000u, 0xffe00000u}) {
        cw_regime r = long_regime();
        r.ttbcr |= t0 | t1 << 16;
        int expected = -1;
        if (va < 1ull << (32 - t0)) expected = 0;
        if (t1 != 0 ? va >= (1ull << 32) - (1ull << (32 - t1)) : expected < 0) expected = 1;
        const unsigned size = expected == 1 ? t1 : t0;
        // Roots with only their own alignment: 2^(32-size-30+3) or 2^(32-size-21+3) bytes, at least
        // 8.
        const unsigned shift = size > 1 ? 21 : 30;
        const uint64_t entries = std::max<uint64_t>((1ull << (32 - size)) >> shift, 1);
        const uint64_t root = 0x40020000 + entries * 8;
        std::memset(memory.ram.at(0x40020000), 0, 0x4000);
        (expected == 1 ? r.ttbr1 : r.ttbr0) = root;
        (expected == 1 ? r.ttbr0 : r.ttbr1) = 0;  // outside RAM: an external abort when used
        if (expected < 0) {
          ASSERT_EQ(memory.walk(r, va, CW_LOAD, true).fsr, 0x205u);
          continue;
        }
        const uint64_t index = (va & ((1ull << (32 - size)) - 1)) >> shift;
        memory.write64(root + index * 8, 0x40000000 | 1 << 10 | 1);
        const cw_result out = memory.walk(r, va | 0x1234, CW_LOAD, true);
        ASSERT_EQ(out.fsr, 0u) << t0 << " " << t1 << " " << std::hex << va;
        ASSERT_EQ(out.pa, 0x40000000 | (va & ((1u << shift) - 1)) | 0x1234);
        ASSERT_EQ(out.level, shift == 30 ? 1 : 2);
        r.ttbcr |= expected == 1 ? CW_TTBCR_EPD1 : CW_TTBCR_EPD0;
        ASSERT_EQ(memory.walk(r, va, CW_LOAD, true).fsr, 0x205u);
      }
}

TEST_F(Walker, PhysicalAddressesOf40Bits) {
  cw_regime r = short_regime();
  write_short(memory, kSupersection, 0x23456789, 0xa5c0000000 | 0x12000000, {.ap = 3, .xn = 0, .pxn = 0});
  EXPECT_EQ(memory.walk(r, 0x23456789, CW_LOAD, false).pa, 0xa5d2456789u);
  r = long_regime();
  memory.write64(kL1, 0xa5c0000000 | 1 << 10 | 1);
  EXPECT_EQ(memory.walk(r, 0x23456789, CW_LOAD, true).pa, 0xa5e3456789u);
}

TEST_F(Walker, BigEndianTables) {
  cw_regime r = short_regime();
  r.sctlr |= CW_SCTLR_EE;
  memory.write32(kL1, __builtin_bswap32(0x41000000 | 2 | 3 << 10));
  EXPECT_EQ(memory.walk(r, 0x1234, CW_STORE, false).pa, 0x41001234u);
  r = long_regime();
  r.sctlr |= CW_SCTLR_EE;
  memory.write64(kL1, __builtin_bswap64(0x80c0000000 | 1 << 10 | 1));
  EXPECT_EQ(memory.walk(r, 0x1234, CW_STORE, true).pa, 0x80c0001234u);
}

TEST_F(Walker, MmuOff) {
  cw_regime r{};
  r.ttbcr = CW_TTBCR_EAE;
  const cw_result data = memory.walk(r, 0xfedcba98, CW_STORE, false);
  EXPECT_EQ(data.fault, CW_FAULT_NONE);
  EXPECT_EQ(data.pa, 0xfedcba98u);
  EXPECT_EQ(data.memory_type, CW_STRONGLY_ORDERED);
  EXPECT_EQ(memory.walk(r, 0x10, CW_FETCH, false).memory_type, CW_NORMAL);
}

TEST_F(Walker, ShortMemoryAttributes) {
  struct Row {
    unsigned tex, cb, type, inner, outer;
  };
  // Table B3-10 (TEX, C, B without remap); cacheability 0 none, 1 write-back write-allocate, 2
  // write-through, 3 write-back.
  const Row rows[] = {{0, 0, CW_STRONGLY_ORDERED, 0, 0}, {0, 1, CW_DEVICE, 0, 0}, {0, 2, CW_NORMAL, 2, 2},
                      {0, 3, CW_NORMAL, 3, 3},           {1, 0, CW_NORMAL, 0, 0}, {1, 3, CW_NORMAL, 1, 1},
                      {2, 0, CW_DEVICE, 0, 0},           {4, 1, CW_NORMAL, 1, 0}, {5, 0, CW_NORMAL, 0, 1},
                      {6, 3, CW_NORMAL, 3, 2},           {7, 2, CW_NORMAL, 2, 3}};
  for (const ShortEntry entry : {kSection, kSmall, kLarge, kSupersection})
    for (const Row& row : rows) {
      write_short(memory, entry, 0x500000, 0x41000000, {.ap = 3, .xn = 0, .pxn = 0, .tex = row.tex, .cb = row.cb});
      const cw_result out = memory.walk(short_regime(), 0x500000, CW_LOAD, false);
      EXPECT_EQ(out.memory_type, row.type) << row.tex << row.cb;
      EXPECT_EQ(out.inner, row.inner) << row.tex << row.cb;
      EXPECT_EQ(out.outer, row.outer) << row.tex << row.cb;
    }
}

TEST_F(Walker, TexRemap) {
  cw_regime r = short_regime();
  r.sctlr |= CW_SCTLR_TRE;
  r.prrr = 0xff0a81a8;  // Linux's PRRR and NMRR
  r.nmrr = 0x40e040e0;
  struct Row {
    unsigned n, type, inner, outer;
  };
  // PRRR: TR0 strongly-ordered, TR1 Normal (buffered), TR2 Normal WT, TR3 WB, TR4 device (TEX0=1
  // C=0 B=0), TR7 WBWA.
  const Row rows[] = {
      {0, CW_STRONGLY_ORDERED, 0, 0}, {1, CW_NORMAL, 0, 0},           {2, CW_NORMAL, 2, 2}, {3, CW_NORMAL, 3, 3},
      {4, CW_DEVICE, 0, 0},           {5, CW_STRONGLY_ORDERED, 0, 0}, {7, CW_NORMAL, 1, 1}};
  for (const Row& row : rows) {
    const unsigned type = r.prrr >> (2 * row.n) & 3;
    ASSERT_EQ(type == 0 ? CW_STRONGLY_ORDERED : type == 1 ? CW_DEVICE : CW_NORMAL, static_cast<int>(row.type)) << row.n;
    // TEX[2:1] are software's with TRE=1.
    for (const unsigned tex21 : {0u, 3u}) {
      write_short(memory, kSmall, 0x500000, 0x41000000,
                  {.ap = 3, .xn = 0, .pxn = 0, .s = 1, .tex = tex21 << 1 | row.n >> 2, .cb = row.n & 3});
      const cw_result out = memory.walk(r, 0x500000, CW_LOAD, false);
      EXPECT_EQ(out.memory_type, row.type) << row.n;
      EXPECT_EQ(out.inner, row.inner) << row.n;
      EXPECT_EQ(out.outer, row.outer) << row.n;
    }
  }
}

TEST_F(Walker, Mair) {
  cw_regime r = long_regime();
  struct Row {
    unsigned attribute, type, inner, outer;
  };
  const Row rows[] = {
      {0x00, CW_STRONGLY_ORDERED, 0, 0}, {0x04, CW_DEVICE, 0, 0}, {0x44, CW_NORMAL, 0, 0}, {0xff, CW_NORMAL, 1, 1},
      {0xaa, CW_NORMAL, 2, 2},           {0xee, CW_NORMAL, 3, 3}, {0x4f, CW_NORMAL, 1, 0}};
  for (const Row& row : rows)
    for (unsigned index = 0; index < 8; index++) {
      r.prrr = r.nmrr = 0x04040404;
      uint32_t& mair = index < 4 ? r.prrr : r.nmrr;
      mair = (mair & ~(0xffu << (8 * (index & 3)))) | row.attribute << (8 * (index & 3));
      memory.write64(kL1, 0x40000000 | 1 << 10 | 3 << 8 | index << 2 | 1);
      const cw_result out = memory.walk(r, 0, CW_LOAD, true);
      EXPECT_EQ(out.memory_type, row.type);
      EXPECT_EQ(out.inner, row.inner);
      EXPECT_EQ(out.outer, row.outer);
      EXPECT_EQ(out.mair_attribute, row.attribute);
    }
}

TEST_F(Walker, Par) {
  cw_regime r = short_regime();
  write_short(memory, kSmall, 0x500000, 0x41023000, {.ap = 3, .xn = 0, .pxn = 0, .s = 1, .tex = 1, .cb = 3, .ns = 1});
  cw_result out = memory.walk(r, 0x500abc, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &out), 0x41023000u | 1 << 9 | 1 << 7 | 5 << 4 | 1 << 2);
  write_short(memory, kSupersection, 0x500000, 0x1241000000, {.ap = 3, .xn = 0, .pxn = 0});
  out = memory.walk(r, 0x500abc, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &out), 0x41120000u | 1 << 7 | 1 << 4 | 2);
  out = memory.walk(r, 0x80000000, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &out), 5u << 1 | 1);
  r = long_regime();
  memory.write64(kL1, 0x40000000 | 1 << 10 | 3 << 8 | 1 << 6 | 3 << 2 | 1);
  out = memory.walk(r, 0x00123456, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &out), 0xff00000040123000u | 1 << 11 | 3 << 7);
  out = memory.walk(r, 0x40123456, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &out), 1u << 11 | 5 << 1 | 1);
}

// ATTR is the byte of MAIR. SH is the descriptor's, but for what is cached nowhere: outer
// shareable.
TEST_F(Walker, ParOfLongDescriptors) {
  cw_regime r = long_regime();
  // MAIR0: Normal non-cacheable, Device, Strongly-ordered, Normal write-back
  r.prrr = 0xff'00'04'44;
  r.nmrr = 0x4f'f4'bb'aa;  // MAIR1: write-through, write-back; cached at one level only
  constexpr struct {
    unsigned index, sh;
    uint64_t attr;
    unsigned shown;
  } kRows[] = {{0, 0, 0x44, 2}, {0, 3, 0x44, 2}, {1, 0, 0x04, 2}, {2, 3, 0x00, 2}, {3, 0, 0xff, 0}, {3, 2, 0xff, 2},
               {3, 3, 0xff, 3}, {4, 0, 0xaa, 0}, {5, 3, 0xbb, 3}, {6, 0, 0xf4, 0}, {7, 3, 0x4f, 3}};
  for (const auto& row : kRows)
    for (const uint64_t ns : {0, 1}) {
      memory.write64(kL1, 0x40000000 | 1 << 10 | row.sh << 8 | 1 << 6 | ns << 5 | row.index << 2 | 1);
      const cw_result out = memory.walk(r, 0x00123456, CW_LOAD, false);
      EXPECT_EQ(cw_par(&r, &out), row.attr << 56 | 0x40123000 | 1 << 11 | ns << 9 | row.shown << 7) << row.index;
    }
  // A fault: FST, with FSTAGE and S2WLK clear.
  memory.write64(kL1, 0x40000000 | 1 << 6 | 1);
  const cw_result out = memory.walk(r, 0x00123456, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &out), 1u << 11 | 0x09 << 1 | 1);
  // With the MMU off the format is still TTBCR.EAE's: Strongly-ordered.
  r.sctlr = 0;
  const cw_result off = memory.walk(r, 0x00123456, CW_LOAD, false);
  EXPECT_EQ(cw_par(&r, &off), 0x00123000u | 1 << 11 | 2 << 7);
}

// The attributes as they were remapped, not as the descriptor has them.
TEST_F(Walker, ParOfShortDescriptors) {
  const auto par = [&](cw_regime& r, unsigned tex, unsigned cb, unsigned s) {
    write_short(memory, kSmall, 0x500000, 0x41023000, {.ap = 3, .xn = 0, .pxn = 0, .s = s, .tex = tex, .cb = cb});
    const cw_result out = memory.walk(r, 0x500abc, CW_LOAD, false);
    return cw_par(&r, &out) & 0xffe;
  };
  constexpr unsigned kSh = 1 << 7, kNos = 1 << 10;
  cw_regime r = short_regime();
  EXPECT_EQ(par(r, 0, 0, 0), kSh | 1 << 4);            // Strongly-ordered
  EXPECT_EQ(par(r, 0, 1, 0), kSh | 3 << 4);            // Device
  EXPECT_EQ(par(r, 2, 0, 0), 3u << 4);                 // Device, non-shareable
  EXPECT_EQ(par(r, 0, 2, 0), 6u << 4 | 2 << 2);        // write-through
  EXPECT_EQ(par(r, 0, 3, 1), kSh | 7u << 4 | 3 << 2);  // write-back, no allocation on write
  EXPECT_EQ(par(r, 1, 0, 0), 0u);                      // non-cacheable
  EXPECT_EQ(par(r, 7, 1, 1), kSh | 5 << 4 | 3 << 2);   // inner 01, outer 11
  r.sctlr |= CW_SCTLR_TRE;
  // n = 0 Normal and NOS, 1 Device, 2 S.-o.
  r.prrr = 2u << 0 | 1u << 2 | 0u << 4 | 2u << 6 | 1u << 19 | 1u << 24;
  r.nmrr = 1u << 0 | 2u << 16 | 0u << 6 | 3u << 22;
  EXPECT_EQ(par(r, 0, 0, 1), kSh | kNos | 5 << 4 | 2 << 2);
  EXPECT_EQ(par(r, 0, 0, 0), 5u << 4 | 2 << 2);
  EXPECT_EQ(par(r, 0, 1, 0) & 0x70, 3u << 4);
  EXPECT_EQ(par(r, 0, 2, 0), kSh | 1 << 4);
  EXPECT_EQ(par(r, 0, 3, 1), kSh | 0 << 4 | 3 << 2);  // outer shareable
}

TEST_F(Walker, Asid) {
  cw_regime r = short_regime();
  r.contextidr = 0xabcdef42;
  EXPECT_EQ(cw_asid(&r), 0x42);
  r = long_regime();
  EXPECT_EQ(cw_asid(&r), 0x12);
  r.ttbcr |= CW_TTBCR_A1;
  EXPECT_EQ(cw_asid(&r), 0x34);
}

TEST_F(Walker, TablesThatPointAtThemselves) {
  cw_regime r = short_regime();
  memory.write32(kL1, kL1 | 1);  // the L1 as its own L2: entry 0 read as a large page
  const cw_result s = memory.walk(r, 0, CW_LOAD, true);
  EXPECT_EQ(s.levels_read, 2);
  EXPECT_EQ(s.log2_size, 16);
  r = long_regime();
  memory.write64(kL1, kL1 | 3 | 1 << 10);  // three levels in one page: a page that maps itself
  const cw_result l = memory.walk(r, 0, CW_LOAD, true);
  EXPECT_EQ(l.levels_read, 3);
  EXPECT_EQ(l.pa, kL1);
}

// Walks with a memo against walks without, over tables of all kinds of descriptors, good and bad.
class WalkMemo : public Walker {
 protected:
  // but for padding
  static constexpr size_t kResultBytes = offsetof(cw_result, mair_attribute) + 1;
  static constexpr uint32_t kRegion = 0x00400000, kPages = 16 << 8;  // 16 MiB

  // Half of the time one of few descriptors, so that neighbours are alike.
  uint64_t descriptor(uint64_t mask) {
    const uint64_t common[] = {0, kRam | 0x7ff, kRam | 0xc12, kRam | 0x2301002 | uint64_t{1} << 54};
    const uint64_t page = random() % 4 << 12;
    return ((random() & 1) != 0 ? common[random() % 4] + page : random()) & mask;
  }
  void fill_short() {
    for (uint32_t i = 0; i < 16; i++) {
      const uint32_t table = kL2 + (random() & 7) * 0x400;
      const uint32_t entry = static_cast<uint32_t>(random());
      const uint32_t kind = random() & 7;
      memory.write32(kL1 + ((kRegion >> 20) + i) * 4, kind == 0   ? entry
                                                      : kind == 1 ? 0xfffffc01
                                                                  : table | (entry & 0x1fc) | 1);
    }
    for (uint32_t i = 0; i < 8 * 256; i++) memory.write32(kL2 + i * 4, static_cast<uint32_t>(descriptor(0xffffffff)));
  }
  void fill_long() {
    memory.write64(kL1, random() % 8 == 0 ? descriptor(~uint64_t{0}) : kL2 | 3 | (random() & 31) << 59);
    for (uint32_t i = 0; i < 512; i++)
      memory.write64(kL2 + i * 8, random() % 4 == 0 ? descriptor(~uint64_t{0})
                                                    : (kL3 + (random() & 3) * 0x1000) | 3 | (random() & 31) << 59);
    for (uint32_t i = 0; i < 4 * 512; i++) memory.write64(kL3 + i * 8, descriptor(~uint64_t{0}));
  }
  void compare(const cw_regime& r, unsigned kind, bool privileged) {
    cw_memo memo{};
    for (uint32_t i = 0; i < 4000; i++) {
      // Neighbours mostly, forward and back.
      va_ = (random() & 7) == 0 ? static_cast<uint32_t>(random()) % kPages * 4096
                                : va_ + (static_cast<uint32_t>(random() % 6) - 2) * 4096;
      const uint32_t va = kRegion + va_ % (kPages * 4096) + (random() & 0xfff);
      cw_walk_memo(&r, va, kind, privileged, TestMemory::read, &memory.ram, &memo);
      const cw_result want = memory.walk(r, va, kind, privileged);
      ASSERT_EQ(std::memcmp(&want, &memo.result, kResultBytes), 0)
          << std::hex << va << " pa " << memo.result.pa << ", not " << want.pa << ", fsr " << memo.result.fsr
          << ", not " << want.fsr;
    }
  }
  uint64_t random() { return generator_(); }

 private:
  std::mt19937_64 generator_{test_seed()};
  uint32_t va_ = 0;
};

TEST_F(WalkMemo, IsAWholeWalk) {
  for (uint32_t round = 0; round < 40; round++) {
    const unsigned kind = round % 3;
    const bool privileged = (random() & 1) != 0;
    const uint32_t sctlr =
        static_cast<uint32_t>(random()) & (CW_SCTLR_WXN | CW_SCTLR_UWXN | CW_SCTLR_AFE | CW_SCTLR_TRE);
    cw_regime r = short_regime();
    r.sctlr |= sctlr;
    r.dacr = static_cast<uint32_t>(random());
    r.prrr = static_cast<uint32_t>(random());
    r.nmrr = static_cast<uint32_t>(random());
    fill_short();
    compare(r, kind, privileged);
    r = long_regime();
    r.sctlr |= sctlr;
    fill_long();
    compare(r, kind, privileged);
  }
}

TEST_F(WalkMemo, ReadsOneDescriptorOfANeighbour) {
  cw_regime r = short_regime();
  memory.write32(kL1 + (kRegion >> 20) * 4, kL2 | 0x3e1);
  for (uint32_t i = 0; i < 256; i++) memory.write32(kL2 + i * 4, (kRam + i * 4096) | 0x7e);
  cw_memo memo{};
  for (uint32_t i = 0; i < 256; i++)
    EXPECT_EQ(cw_walk_memo(&r, kRegion + i * 4096, CW_LOAD, 1, TestMemory::read, &memory.ram, &memo), i == 0 ? 2u : 1u);
  memory.write32(kL1 + (kRegion >> 20) * 4, kRam | 0xc0e);
  memo = {};
  for (uint32_t i = 0; i < 256; i++)
    EXPECT_EQ(cw_walk_memo(&r, kRegion + i * 4096, CW_LOAD, 1, TestMemory::read, &memory.ram, &memo), i == 0 ? 1u : 0u);
}

// Of the memory's other byte order, only equal descriptors are known again.
TEST_F(WalkMemo, InTheOtherByteOrder) {
  cw_regime r = short_regime();
  r.sctlr |= CW_SCTLR_EE;
  fill_short();
  for (uint32_t pa = kL1; pa < kL1 + 0xc000; pa += 4) memory.write32(pa, __builtin_bswap32(memory.read32(pa)));
  cw_memo memo{};
  for (uint32_t va = kRegion; va < kRegion + kPages * 4096; va += 4096) {
    cw_walk_memo(&r, va, CW_LOAD, 1, TestMemory::read, &memory.ram, &memo);
    const cw_result want = memory.walk(r, va, CW_LOAD, true);
    ASSERT_EQ(std::memcmp(&want, &memo.result, kResultBytes), 0) << std::hex << va;
  }
}

// T1SZ=3: the second half of the last GiB is TTBR1's.
TEST_F(WalkMemo, OfABlockEndsWhereTtbr1Begins) {
  cw_regime r = long_regime();
  r.ttbcr |= 3 << 16;
  memory.write64(kL1 + 24, kRam | 0x70d);
  memory.write64(kL2, 0);
  cw_memo memo{};
  cw_walk_memo(&r, 0xdffff000, CW_LOAD, 1, TestMemory::read, &memory.ram, &memo);
  EXPECT_EQ(memo.result.log2_size, 30);
  cw_walk_memo(&r, 0xe0000000, CW_LOAD, 1, TestMemory::read, &memory.ram, &memo);
  EXPECT_EQ(memo.result.fault, CW_FAULT_TRANSLATION);
}

TEST_F(WalkMemo, WithTheMmuOff) {
  cw_regime r = short_regime();
  r.sctlr = 0;
  cw_memo memo{};
  for (uint32_t va = 0x1000; va < 0x9000; va += 0x1000) {
    cw_walk_memo(&r, va, CW_LOAD, 1, TestMemory::read, &memory.ram, &memo);
    EXPECT_EQ(memo.result.pa, va);
  }
}

}  // namespace
}  // namespace crosswalk::mmu::test
