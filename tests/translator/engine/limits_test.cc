// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest can make the engine remember has limits, and reaching them changes nothing but
// speed.
#include <sys/mman.h>

#include <cerrno>

#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Limits);

constexpr uint32_t kRoutine = kCode + 0x2000, kOther = kCode + 0x3000;

bool always_windows(mmu::Mode mode) { return mode.form == mmu::Form::Window; }

// Pages of VA, mapped to either of two pages and called, directly and through a register; and then
// mapped the other way round. With numbers for 64 pages only, each comes to stand for many; more
// pages each time, so that in the end the same VA has the number that it had with the other page.
TEST_P(Limits, PageIdsAreReused) {
  Guest g(engine_config(), {.max_page_ids = 64});
  constexpr uint32_t kPages = 220, kFewest = 150, kAmounts[2] = {1, 64};
  for (const uint32_t i : {0u, 1u}) {
    const uint32_t pa = i ? kOther : kRoutine;
    g.words(pa, {add_imm(0, 0, static_cast<uint8_t>(kAmounts[i])), branch(4, 0x100)});
    g.words(pa + 0x100, {kBxLr});
  }
  const uint32_t code = kVa + (kPages + 8) * 0x1000;
  g.map(code, kCode);
  Asm a(code);
  a.set(1, kVa)({mov_imm(0, 0)});
  const uint32_t loop = a.here();
  a({blx(1), blx(1), 0xe2811a01 /* ADD R1, R1, #0x1000 */, subs_imm(2, 2, 1)}).b(loop, kNe);
  a.bl(kVa + 0x5000).bl(kVa + 0x6000)({kHvc});
  g.code(a, kCode);
  for (uint32_t round = 0; round < kPages - kFewest; round++) {
    const uint32_t pages = kFewest + round;
    uint32_t expected = kAmounts[0] + kAmounts[1];
    for (uint32_t i = 0; i < pages; i++) expected += 2 * kAmounts[(i + round) & 1];
    for (uint32_t i = 0; i < kPages; i++) g.map(kVa + i * 0x1000, (i + round) & 1 ? kOther : kRoutine);
    g.flush_tlb();
    g.cpu.r[2] = pages;
    g.run(code);
    ASSERT_EQ(g.stopped_at(), Exception::None);
    ASSERT_EQ(g.cpu.r[0], expected) << "round " << round;
  }
  EXPECT_GT(g.mmu_statistics().page_id_drops, 5u);
}

// The number of the first page is voided by fetching the second one.
TEST_P(Limits, StraddlingInstructionsWhenPageIdsRunOut) {
  Guest g(engine_config(), {.max_page_ids = 64});
  g.halves(kRoutine + 0xffe, {0xf240});         // the first half of MOVW R0, #imm8
  g.halves(kOther, {0x0001, 0x4770});           // #1; BX LR
  g.halves(kOther + 0x1000, {0x0002, 0x4770});  // #2
  constexpr uint32_t kPages = 400;
  const uint32_t code = kVa + (kPages + 8) * 0x1000;
  g.map(code, kCode);
  // Pairs of pages; the second one alternates.
  for (uint32_t i = 0; i < kPages; i += 2) {
    g.map(kVa + i * 0x1000, kRoutine);
    g.map(kVa + (i + 1) * 0x1000, i & 2 ? kOther : kOther + 0x1000);
  }
  Asm a(code);
  a.set(1, kVa + 0xfff).set(2, kPages / 2)({mov_imm(4, 0)});
  const uint32_t loop = a.here();
  a({blx(1), add(4, 4, 0), 0xe2811a02 /* ADD R1, R1, #0x2000 */, subs_imm(2, 2, 1)}).b(loop, kNe)({kHvc});
  g.code(a, kCode);
  for (int round = 0; round < 5; round++) {
    g.run(code);
    ASSERT_EQ(g.stopped_at(), Exception::None);
    EXPECT_EQ(g.cpu.r[4], kPages / 4 * 3);
  }
  EXPECT_GT(g.mmu_statistics().page_id_drops, 5u);
}

// Device loads at ever new places: what is known of them goes with the code.
TEST_P(Limits, SlowSitesDieWithTheirCode) {
  if (!always_windows(GetParam().mode)) return;  // only windows have slow sites
  auto g = make_guest();
  Asm a(kCode);
  a.set(3, kDevice).set(4, kRoutine).set(5, ldr(2, 3)).set(6, kBxLr)({mov_imm(7, 200)});
  const uint32_t loop = a.here();
  a({str(5, 4), str(5, 4, 4), str(6, 4, 8), kDsb, iciallu(0), kIsb, blx(4), 0xe284400c /* ADD R4, R4, #12 */});
  a({0xe3c44003 /* BIC R4, R4, #3 */, subs_imm(7, 7, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->accesses.size(), 400u);
  EXPECT_GT(g->translation_statistics().slow_sites, 300u);
  // 200 routines of 12 bytes in one page, which is written before each: only the last one's sites
  // are left. In a mixed page, those of all routines, and the three stores are some.
  if (GetParam().mixed_pages) {
    for (uint32_t at = 0; at < 0x1000; at += 4) g->device_write32(kRoutine + at, 0);
    EXPECT_LE(g->translation_statistics().slow_sites_now, 3u);
  } else {
    EXPECT_LE(g->translation_statistics().slow_sites_now, 2u);
  }
}

// What was a device access is none when the code there is other code.
TEST_P(Limits, NewCodeAtASlowSiteIsFast) {
  if (!always_windows(GetParam().mode)) return;  // only windows have slow sites
  auto g = make_guest();
  g->words(kRoutine, {ldr(2, 3), kBxLr});
  Asm a(kCode);
  a.set(3, kDevice).set(4, kRoutine).bl(kRoutine).set(5, ldr(2, 1)).set(1, kData)({str(5, 4), kDsb, iciallu(0), kIsb});
  a({mov_imm(7, 50)});
  const uint32_t loop = a.here();
  a.bl(kRoutine)({subs_imm(7, 7, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  EXPECT_LT(g->engine_statistics().slow_accesses, 10u);
}

// The same of an instruction whose second half, in the next page, has changed.
TEST_P(Limits, ANewHalfOfASlowSiteIsFast) {
  if (!always_windows(GetParam().mode)) return;  // only windows have slow sites
  auto g = make_guest();
  g->halves(kRoutine + 0xffe, {0xf8d3});   // LDR.W R2, [R3]
  g->halves(kOther, {0x2000, 0x4770});     // BX LR
  const uint32_t new_halves = 0x47704000;  // LDR.W R4, [R3]; BX LR
  Asm a(kCode);
  a.set(1, kOther).set(3, kDevice).set(5, new_halves).set(8, kRoutine + 0xfff)({blx(8)});
  a.set(3, kData)({str(5, 1), kDsb, iciallu(0), kIsb, mov_imm(7, 50)});
  const uint32_t loop = a.here();
  a({blx(8), subs_imm(7, 7, 1)}).b(loop, kNe)({kHvc});
  g->code(a, kCode);
  g->write32(kData, 77);
  g->run(kCode);
  ASSERT_EQ(g->stopped_at(), Exception::None);
  EXPECT_EQ(g->accesses.size(), 1u);
  EXPECT_EQ(g->cpu.r[4], 77u);
  EXPECT_LT(g->engine_statistics().slow_accesses, 10u);
}

struct MapSwitch {
  static bool& fails() {
    static bool value;
    return value;
  }
  static void* map(void* address, size_t bytes, int protection, int flags, int fd, long offset) {
    if (fails() && fd >= 0) {
      errno = ENOMEM;
      return MAP_FAILED;
    }
    return mmap(address, bytes, protection, flags, fd, offset);
  }
};

// A host that gives no mapping for a while: each access is done by hand, and none is slow for ever.
TEST_P(Limits, RamThatCannotBeEntered) {
  if (GetParam().mode != mmu::Mode::Window || GetParam().windows != Windows::Mmap) return;
  Guest g(engine_config(), {}, MapSwitch::map);
  Asm a(kCode);
  a.set(1, kData)({mov_imm(0, 0), mov_imm(3, 100)});
  const uint32_t loop = a.here();
  a({str(0, 1), add_imm(0, 0, 1)});
  a({subs_imm(3, 3, 1)}).b(loop, kNe)({kHvc});
  g.code(a, kCode);
  MapSwitch::fails() = true;
  g.run(kCode);
  MapSwitch::fails() = false;
  ASSERT_EQ(g.stopped_at(), Exception::None);
  EXPECT_EQ(g.cpu.r[0], 100u);
  EXPECT_EQ(g.read32(kData), 99u);
  EXPECT_EQ(g.translation_statistics().slow_once, 100u);
  EXPECT_EQ(g.translation_statistics().slow_sites_now, 0u);
  const uint64_t before = g.engine_statistics().slow_accesses;
  g.run(kCode);
  EXPECT_EQ(g.cpu.r[0], 100u);
  EXPECT_LE(g.engine_statistics().slow_accesses - before, 10u);
}

// Blocks that are dropped all the time: what is known of them fills its room before their code
// fills the cache.
TEST_P(Limits, BookkeepingOfBlocks) {
  GuestConfig config = engine_config();
  config.code_cache_bytes = 64 << 20;
  config.bookkeeping_bytes = 64 << 10;
  Guest g(config);
  Asm a(kCode);
  a.set(1, kCode + 0x1000).set(2, add_imm(0, 0, 1))({mov_imm(0, 0)}).set(3, 1000).b(kCode + 0x100);
  g.code(a, kCode);
  Asm loop(kCode + 0x100);
  loop({str(2, 1), kDsb, iciallu(4), kIsb}).bl(kCode + 0x1000)({subs_imm(3, 3, 1)}).b(kCode + 0x100, kNe)({kHvc});
  g.code(loop, kCode + 0x100);
  g.words(kCode + 0x1000, {add_imm(0, 0, 1), kBxLr});
  g.run(kCode);
  EXPECT_EQ(g.cpu.r[0], 1000u);
  const engine::TranslationStatistics& statistics = g.translation_statistics();
  EXPECT_GT(GetParam().recycle ? statistics.recyclings : statistics.cache_flushes, 3u);
  EXPECT_LT(g.translation_statistics().most_bookkeeping_bytes, (64u << 10) + (8 << 10));
}

}  // namespace
}  // namespace crosswalk::test
