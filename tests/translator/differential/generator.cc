// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/translator/differential/generator.h"

#include <bit>
#include <cstring>
#include <string_view>

#include "translator/arm32/frontend/translator.h"

namespace crosswalk::differential {
namespace {

using decoder::Decoded;
using decoder::Isa;
using decoder::Row;

bool starts_with(const Row& row, std::initializer_list<const char*> prefixes) {
  for (const char* p : prefixes)
    if (std::string_view(row.handler_name).starts_with(p)) return true;
  return false;
}
bool accesses_memory(const Row& row) {
  return starts_with(
      row, {"LD", "ST", "PUSH", "POP", "SWP", "TB", "RFE", "VLD", "VST", "VPUSH", "VPOP", "SimdVLD", "SimdVST"});
}
// Alignment is checked for these: unaligned bases would mostly fault.
bool wants_alignment(const Row& row) {
  return starts_with(row, {"LDM", "STM", "PUSH", "POP", "LDREX", "STREX", "LDRD", "STRD", "SWP", "RFE", "VLD", "VST",
                           "VPUSH", "VPOP", "SimdVLD", "SimdVST"});
}
bool changes_flow(const Row& row) {
  return starts_with(row, {"B", "CB", "TB", "RFE", "SUBS_PC", "ERET", "IT", "CPS", "SETEND"}) &&
         !starts_with(row, {"BFC", "BFI", "BIC"});
}

constexpr uint32_t kModes[] = {0x10, 0x11, 0x12, 0x13, 0x17, 0x1b, 0x1f};

uint32_t mask_of(const Row& row, char letter) { return row.field_mask(letter); }

uint32_t deposit(uint32_t word, uint32_t mask, uint32_t value) {
  for (uint32_t m = mask; m; m &= m - 1, value >>= 1) {
    const uint32_t bit = m & (0 - m);
    word = value & 1 ? word | bit : word & ~bit;
  }
  return word;
}

// Stands for words without a row.
constexpr Row kUnallocated{Isa::T16, "UNALLOCATED", "(no row)", ""};

}  // namespace

uint32_t to_thumb(uint32_t a32) {
  switch (a32 >> 24) {
    case 0xf2: return 0xef000000 | (a32 & 0xffffff);
    case 0xf3: return 0xff000000 | (a32 & 0xffffff);
    case 0xf4: return 0xf9000000 | (a32 & 0xffffff);
    default: return a32;
  }
}

Generator::Generator(Isa isa, bool thumb, uint64_t seed, std::span<const Exclusion> exclusions, bool gaps)
    : isa_(isa),
      thumb_(thumb || isa == Isa::T32 || isa == Isa::T16),
      gaps_(gaps),
      random_(seed),
      exclusions_(exclusions) {
  if (gaps) {
    rows_.push_back(&kUnallocated);
    return;
  }
  for (const Row& r : decoder::rows()) {
    if (r.isa != isa) continue;
    bool excluded = false;
    for (const Exclusion& e : exclusions) excluded |= !e.applies && std::string_view(e.handler) == r.handler_name;
    if (!excluded) rows_.push_back(&r);
  }
}

void Generator::fill(uint8_t* data, size_t bytes) {
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    const uint64_t v = chance(50) ? random_() : fp_register_value();
    std::memcpy(data + i, &v, 8);
  }
}

uint32_t Generator::register_number() {
  if (chance(3)) return 15;
  if (chance(6)) return 13 + u32() % 2;
  return u32() % 13;
}

uint32_t Generator::register_value() {
  static constexpr uint32_t kSpecial[] = {0,          1,          2,          0x7f,       0x80,
                                          0xff,       0x100,      0x7fff,     0x8000,     0xffff,
                                          0x10000,    0x7fffffff, 0x80000000, 0x80000001, 0xffffffff,
                                          0xfffffffe, 0x80008000, 0x7fff7fff, 0x80808080, 0x7f7f7f7f};
  switch (u32() % 5) {
    case 0: return kSpecial[u32() % std::size(kSpecial)];
    case 1: return u32() % 64;
    case 2: return kDataCenter + (u32() % 256) * 4;
    default: return u32();
  }
}

uint64_t Generator::fp_register_value() {
  static constexpr uint32_t kSingle[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
                                         0x7fc00000, 0x7f800001, 0xffc12345, 0x00000001, 0x807fffff, 0x00800000,
                                         0x7f7fffff, 0x4f000000, 0xcf000000, 0x3f000000, 0x40490fdb, 0x33800000};
  static constexpr uint64_t kDouble[] = {0,
                                         0x8000000000000000,
                                         0x3ff0000000000000,
                                         0xbff8000000000000,
                                         0x7ff0000000000000,
                                         0xfff0000000000000,
                                         0x7ff8000000000000,
                                         0x7ff0000000000001,
                                         0x0000000000000001,
                                         0x000fffffffffffff,
                                         0x0010000000000000,
                                         0x7fefffffffffffff,
                                         0x41e0000000000000,
                                         0xc1e0000000200000,
                                         0x3690000000000000,
                                         0x47f0000000000000};
  const auto single = [&]() -> uint32_t {
    switch (u32() % 4) {
      case 0: return kSingle[u32() % std::size(kSingle)];
      case 1: return (u32() & 0x807fffff) | (100 + u32() % 56) << 23;  // exponents that interact
      default: return u32();
    }
  };
  switch (u32() % 6) {
    case 0: return kDouble[u32() % std::size(kDouble)];
    case 1: return (random_() & 0x800fffffffffffffu) | uint64_t{1000 + u32() % 48} << 52;
    case 2: return random_();
    case 3: {
      const uint64_t b = u32() % 256;
      return b * 0x0101010101010101u;
    }
    default: return uint64_t{single()} << 32 | single();
  }
}

uint32_t Generator::word_of(const Row& row) {
  uint32_t any = u32();
  if (chance(15)) any &= u32() & u32();  // few bits set
  if (chance(10)) any |= u32() | u32();
  uint32_t variable = 0;
  for (unsigned i = 0; i < row.field_count; i++) variable |= row.fields[i].mask;
  uint32_t word = row.value | (any & variable);
  const std::string_view pattern = row.pattern;
  for (size_t i = 0; i < pattern.size(); i++)
    if (pattern[i] == '+') word |= 1u << (pattern.size() - 1 - i);
  if (row.isa == Isa::A32 || row.isa == Isa::T32) {
    for (char letter : {'n', 'd', 'm', 't', 's', 'a', 'u', 'h', 'l'}) {
      const uint32_t mask = mask_of(row, letter);
      if (std::popcount(mask) == 4) word = deposit(word, mask, register_number());
    }
  }
  if (row.isa == Isa::Vfp || row.isa == Isa::Simd) {
    for (char letter : {'t', 'u'}) {
      const uint32_t mask = mask_of(row, letter);
      if (std::popcount(mask) == 4) word = deposit(word, mask, register_number());
    }
  }
  if (row.isa == Isa::Simd && row.value >> 24 != 0xf4 && chance(92)) {
    // Q registers have even numbers.
    for (char letter : {'d', 'n', 'm'}) {
      const uint32_t mask = mask_of(row, letter);
      word &= ~(mask & (0 - mask));
    }
    const uint32_t size = mask_of(row, 's');  // all ones is a reserved size in most rows
    if ((word & size) == size && chance(70)) word &= ~(size & (0 - size));
  }
  if (row.conditional && row.isa != Isa::T16 && row.isa != Isa::T32) {
    word = deposit(word, 0xf0000000, thumb_ || chance(70) ? 14 : u32() % 14);
  }
  return row.isa == Isa::T16 ? word & 0xffff : word;
}

bool Generator::usable(const Case& c, const Decoded& f) const {
  for (const Exclusion& e : exclusions_) {
    if (std::string_view(e.handler) == c.row->handler_name && e.applies && e.applies(f)) return false;
  }
  // Stores relative to the PC would change the code slots.
  if (accesses_memory(*c.row) && !starts_with(*c.row, {"LD", "VLD", "TB"}) && f['n'] == 15) return false;
  // UNPREDICTABLE for the frontend.
  ir::Block block;
  frontend::TranslateConfig config;
  config.max_instructions = 1;
  frontend::Translator t(block, {}, config);
  const Instruction& i = c.code.back();
  const uint8_t it = static_cast<uint8_t>((c.before.cpsr >> 25 & 3) | (c.before.cpsr >> 10 & 0x3f) << 2);
  t.translate(c.before.r[15], c.thumb, it, [&](uint32_t va, uint32_t bytes, uint32_t& word) {
    const bool second = va != c.before.r[15];
    if (!c.thumb)
      word = i.word;
    else
      word = i.bytes == 4 ? (second ? i.word & 0xffff : i.word >> 16) : i.word;
    return bytes <= 4;
  });
  return !t.saw_unpredictable();
}

void Generator::prepare_state(Case& c, const Decoded& f) {
  GuestState& s = c.before;
  for (int i = 0; i < 15; i++) s.r[i] = register_value();
  if (chance(85)) s.r[13] = kDataCenter + (u32() % 64) * 4;
  s.cpsr = (u32() & 0xf80f0000) | 0x1c0 | (chance(80) ? 0x13u : 0x10u) | (c.thumb ? 0x20u : 0u);
  if (chance(8)) s.cpsr |= 0x200;  // big-endian data
  const uint32_t returns_to_thumb = u32() & 0x20;
  s.spsr = (u32() & 0xf80f03c0) | kModes[u32() % std::size(kModes)] | returns_to_thumb;

  const Row& row = *c.row;
  if (c.thumb && chance(30) && !changes_flow(row)) {
    // Any state of an IT block; the last instruction of one where the instruction may change the
    // flow.
    uint32_t it = (u32() % 15) << 4 | 8;
    const bool last_only =
        starts_with(row, {"LDR_", "LDM", "POP", "MOV_register_high", "ADD_register_high", "SVC", "UDF"});
    if (!last_only) it = (it & 0xe0) | (u32() & 0x1f) | 1u << (u32() % 4);
    if (it >> 4 == 15) it &= 0xef;
    s.cpsr |= (it & 3) << 25 | (it >> 2 & 0x3f) << 10;
  }
  if (row.isa == Isa::Vfp || row.isa == Isa::Simd) {
    for (uint64_t& d : s.d) d = fp_register_value();
    s.fpscr = u32() & 0xf7c0009f & (chance(50) ? ~0u : 0xf800009f);
  }

  if (accesses_memory(row)) {
    const uint32_t n = f.has('n') ? f['n'] : 13, m = f['m'];
    uint32_t base = kDataCenter + (u32() % 512 - 256) * 4;
    if (wants_alignment(row) ? chance(5) : chance(40)) base += u32() % 4;
    if (wants_alignment(row) && chance(50)) base &= ~63u;
    if (n != 15 && chance(97)) s.r[n] = base;
    if (f.has('m') && m != n && m != 15 && chance(95)) s.r[m] = u32() % (chance(50) ? 16 : 256);
  }
  if (starts_with(row, {"RFE"})) {
    // The words that may be loaded: return addresses that are PSRs too.
    for (uint32_t a = (s.r[f['n']] & ~3u) - 16; a != (s.r[f['n']] & ~3u) + 16; a += 4) {
      c.memory.push_back({a, (u32() & 0xf80f01c0) | kModes[u32() % std::size(kModes)] | returns_to_thumb});
    }
    s.cpsr &= ~0x200u;
  }
  // Banked registers: always in Supervisor mode, with User mode's part of the state.
  if (starts_with(row, {"LDM_user", "STM_user"}) && (s.cpsr & 0x1f) != 0x10) {
    c.user_bank = true;
    s.user_r13 = register_value();
    s.user_r14 = register_value();
  }
  // A PSR that is written names a mode that both know.
  if (starts_with(row, {"MSR_register"})) s.r[f['n']] = (s.r[f['n']] & ~0x1fu) | kModes[u32() % std::size(kModes)];
}

// An exclusive store follows a load of its size, or a CLREX.
void Generator::prepare_prefix(Case& c, const Decoded& f) {
  if (!starts_with(*c.row, {"STREX"})) return;
  const uint32_t n = f['n'];
  uint32_t t = 0;  // an even pair that the store does not use
  while (t == (n & ~1u) || t == (f['t'] & ~1u) || t == (f['u'] & ~1u) || t == (f['d'] & ~1u)) t += 2;
  const std::string_view size = std::string_view(c.row->handler_name).substr(5);
  Instruction i;
  if (chance(15)) {
    i.word = c.thumb ? 0xf3bf8f2f : 0xf57ff01f;  // CLREX
  } else if (c.thumb) {
    if (size.empty())
      i.word = 0xe8500f00 | f['i'];
    else
      i.word = size == "B" ? 0xe8d00f4f : size == "H" ? 0xe8d00f5f : 0xe8d0007f | (t + 1) << 8;
    i.word |= n << 16 | t << 12;
  } else {
    const uint32_t op = size.empty() ? 0x19 : size == "D" ? 0x1b : size == "B" ? 0x1d : 0x1f;
    i.word = 0xe0000f9f | op << 20 | n << 16 | t << 12;
  }
  c.code.insert(c.code.begin(), i);
  c.before.cpsr &= ~0x0600fc00u;  // no IT block: its state would be the first instruction's
}

Case Generator::next_sequence(uint32_t pc, unsigned count, const char* only_handler) {
  for (;;) {
    Case c = next(pc, only_handler);
    c.before.cpsr &= ~0x0600fc00u;
    c.code.clear();
    while (c.code.size() < count) {
      const Case more = next(pc, nullptr);
      const Instruction& i = more.code.back();
      const Decoded f{more.row, i.word};
      const uint32_t list = f['r'];
      if (changes_flow(*more.row) || more.code.size() != 1 || f['d'] == 15 || f['t'] == 15 || f['u'] == 15 ||
          starts_with(*more.row, {"LDM_user", "LDM_exc", "STM_user", "MSR", "SVC", "UDF", "ENTERX", "LDC", "STC", "CDP",
                                  "coprocessor_2", "ISB"}) ||
          (starts_with(*more.row, {"LDM"}) && list >> 15) ||
          (starts_with(*more.row, {"POP"}) && list & (isa_ == Isa::T16 ? 0x100 : 0x8000))) {
        continue;
      }
      // Where it accesses memory, the base that it was given.
      const uint32_t n = f.has('n') ? f['n'] : 13;
      if (accesses_memory(*more.row) && n < 15) c.before.r[n] = more.before.r[n];
      c.code.push_back(i);
      c.row = more.row;
    }
    return c;
  }
}

Case Generator::next(uint32_t pc, const char* only_handler) {
  for (;;) {
    Case c;
    c.row = rows_[u32() % rows_.size()];
    if (only_handler && std::string_view(only_handler) != c.row->handler_name) continue;
    c.thumb = thumb_;
    const uint32_t word = gaps_ ? (isa_ == Isa::T16 ? u32() & 0xffff : u32()) : word_of(*c.row);
    Decoded f = isa_ == Isa::T32   ? decoder::decode_t32(word)
                : isa_ == Isa::T16 ? decoder::decode_t16(static_cast<uint16_t>(word))
                                   : decoder::decode_a32(word);
    if (gaps_ ? f.row != nullptr : f.row != c.row) continue;
    if (isa_ == Isa::T16 && decoder::is_t32(static_cast<uint16_t>(word))) continue;
    f.row = c.row;
    Instruction i;
    i.word = isa_ == Isa::Vfp || isa_ == Isa::Simd ? (thumb_ ? to_thumb(word) : word) : word;
    i.bytes = isa_ == Isa::T16 ? 2 : 4;
    if (isa_ == Isa::T32 && !decoder::is_t32(static_cast<uint16_t>(word >> 16))) continue;
    c.code.push_back(i);
    prepare_state(c, f);
    c.before.r[15] = pc + (thumb_ && chance(50) ? 2 : 0);
    if (!usable(c, f)) continue;
    prepare_prefix(c, f);
    return c;
  }
}

}  // namespace crosswalk::differential
