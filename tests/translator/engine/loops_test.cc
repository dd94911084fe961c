// SPDX-License-Identifier: GPL-2.0-or-later
// Random loops with branches in them, and instructions under conditions: registers, flags and the
// number of instructions are those of a small interpreter, in each mode and with each optimisation
// off. CROSSWALK_SEED chooses the loops.
#include <cstdlib>
#include <random>

#include "tests/translator/engine/guest.h"

namespace crosswalk::test {
namespace {

INSTANTIATE_ENGINE_TESTS(Loops);

// As in encodings of data processing (ARM DDI 0406C, A5.2).
enum Operation : uint32_t { kAnd, kEor, kSub, kRsb, kAdd, kAdc, kSbc, kTst = 8, kCmp = 10, kOrr = 12, kMov, kBic };

// R0 counts rounds, R9 is the address of data, and R1 to R8 are everybody's.
struct Step {
  enum Kind : uint8_t { Alu, Load, BranchAhead } kind = Alu;
  Operation operation = kAnd;
  bool s = false, immediate = false;
  uint32_t condition = kAl, rd = 0, rn = 0, rm = 0;
  uint32_t shift = 0;   // LSR #shift of Rm
  uint32_t number = 0;  // immediate, offset, or how many are skipped

  uint32_t encode(uint32_t at) const {
    switch (kind) {
      case Load: return (ldr(rd, 9, number) & 0x0fffffff) | condition << 28;
      case BranchAhead: return branch(at, at + 4 * (number + 1), condition);
      case Alu: break;
    }
    const uint32_t second = immediate ? 1u << 25 | number : shift << 7 | (shift != 0 ? 1u << 5 : 0) | rm;
    return condition << 28 | operation << 21 | uint32_t{s} << 20 | rn << 16 | rd << 12 | second;
  }
};

struct Machine {
  uint32_t r[16] = {};
  bool n = false, z = false, c = false, v = false;
  uint64_t instructions = 0;

  bool holds(uint32_t condition) const {
    const bool pairs[] = {z, c, n, v, c && !z, n == v, n == v && !z, true};
    return pairs[condition >> 1] != ((condition & 1) != 0) || condition >= kAl;
  }
  uint32_t nzcv() const { return uint32_t{n} << 31 | uint32_t{z} << 30 | uint32_t{c} << 29 | uint32_t{v} << 28; }
  uint32_t sum(uint32_t a, uint32_t b, bool carry, bool s) {
    const uint64_t u = uint64_t{a} + b + carry;
    const auto result = static_cast<uint32_t>(u);
    if (!s) return result;
    c = u >> 32 != 0;
    v = (~(a ^ b) & (a ^ result)) >> 31;
    return result;
  }
  void alu(const Step& i) {
    const uint32_t a = r[i.rn];
    uint32_t b = i.immediate ? i.number : r[i.rm];
    bool carry = c;
    if (!i.immediate && i.shift != 0) carry = b >> (i.shift - 1) & 1, b >>= i.shift;
    uint32_t result = 0;
    bool logical = false;
    switch (i.operation) {
      case kSub:
      case kCmp: result = sum(a, ~b, true, i.s); break;
      case kRsb: result = sum(b, ~a, true, i.s); break;
      case kAdd: result = sum(a, b, false, i.s); break;
      case kAdc: result = sum(a, b, c, i.s); break;
      case kSbc: result = sum(a, ~b, c, i.s); break;
      case kAnd:
      case kTst: result = a & b, logical = true; break;
      case kEor: result = a ^ b, logical = true; break;
      case kOrr: result = a | b, logical = true; break;
      case kMov: result = b, logical = true; break;
      case kBic: result = a & ~b, logical = true; break;
    }
    if (i.s) n = result >> 31, z = result == 0;
    if (i.s && logical) c = carry;
    if (i.operation != kTst && i.operation != kCmp) r[i.rd] = result;
  }
};

class Loop {
 public:
  explicit Loop(std::mt19937& random) : random_(random) {
    const uint32_t n = 2 + pick(14);
    while (steps_.size() < n) {
      switch (pick(8)) {
        case 0:
        case 1:
          if (chance(70)) alu(kCmp, kAl);
          steps_.push_back({Step::BranchAhead, {}, false, false, pick(14), 0, 0, 0, 0, pick(4)});
          break;
        case 2:  // CMP; CMPEQ; BNE
          alu(kCmp, kAl);
          alu(kCmp, pick(14));
          steps_.push_back({Step::BranchAhead,
                            {},
                            false,
                            false,
                            chance(70) ? steps_.back().condition ^ pick(2) : pick(14),
                            0,
                            0,
                            0,
                            0,
                            pick(4)});
          break;
        case 3:
          steps_.push_back({Step::Load, {}, false, false, any_condition(), 1 + pick(8), 0, 0, 0, 4 * pick(8)});
          break;
        default: alu(any_operation(), any_condition()); break;
      }
    }
    Step count{.operation = kSub, .s = true, .immediate = true, .number = 1};
    steps_.push_back(count);
    if (chance(30)) alu(kMov, kAl), steps_.back().s = false;
  }

  // At `at`: the loop, back by BNE, and HVC.
  std::vector<uint32_t> encode(uint32_t at) const {
    std::vector<uint32_t> words;
    for (const Step& i : steps_) {
      Step step = i;
      step.number = i.kind == Step::BranchAhead ? within(words.size(), i.number) : i.number;
      words.push_back(step.encode(at + 4 * static_cast<uint32_t>(words.size())));
    }
    words.push_back(branch(at + 4 * static_cast<uint32_t>(words.size()), at, kNe));
    words.push_back(kHvc);
    return words;
  }
  void run(Machine& m, const uint32_t* data) const {
    do {
      for (size_t at = 0; at < steps_.size(); at++) {
        const Step& i = steps_[at];
        m.instructions++;
        if (!m.holds(i.condition)) continue;
        switch (i.kind) {
          case Step::Load: m.r[i.rd] = data[i.number / 4]; break;
          case Step::BranchAhead: at += within(at, i.number); break;
          case Step::Alu: m.alu(i); break;
        }
      }
      m.instructions++;  // BNE
    } while (!m.z);
    m.instructions++;  // HVC
  }

 private:
  uint32_t pick(uint32_t n) { return static_cast<uint32_t>(random_()) % n; }
  bool chance(uint32_t percent) { return pick(100) < percent; }
  uint32_t any_condition() { return chance(60) ? static_cast<uint32_t>(kAl) : pick(14); }
  Operation any_operation() {
    constexpr Operation kAny[] = {kAnd, kEor, kSub, kRsb, kAdd, kAdc, kSbc, kTst, kCmp, kOrr, kMov, kBic};
    return kAny[pick(std::size(kAny))];
  }
  void alu(Operation operation, uint32_t condition) {
    Step i{.operation = operation, .condition = condition};
    const bool no_result = operation == kTst || operation == kCmp;
    i.s = no_result || chance(40);
    i.immediate = chance(40);
    i.rd = no_result ? 0 : 1 + pick(8);
    i.rn = operation == kMov ? 0 : 1 + pick(8);
    i.rm = 1 + pick(8);
    if (!i.immediate && chance(25)) i.shift = 1 + pick(31);
    i.number = chance(50) ? pick(3) : pick(256);
    steps_.push_back(i);
  }
  // A branch of step `at` goes to the SUBS of R0 at most.
  uint32_t within(size_t at, uint32_t number) const {
    size_t last = steps_.size() - 1;
    while (!(steps_[last].operation == kSub && steps_[last].rd == 0 && steps_[last].s)) last--;
    return std::min(number, static_cast<uint32_t>(last - at - 1));
  }

  std::mt19937& random_;
  std::vector<Step> steps_;
};

TEST_P(Loops, Random) {
  const char* const chosen = std::getenv("CROSSWALK_SEED");
  std::mt19937 random(chosen ? static_cast<uint32_t>(std::strtoul(chosen, nullptr, 0)) : 1);
  GuestConfig config = engine_config();
  config.count = true;
  auto g = std::make_unique<Guest>(config);
  uint32_t data[8];
  for (uint32_t& word : data) word = random() % 2 ? random() : random() % 4;
  g->words(kData, data);
  for (uint32_t n = 0; n < 400; n++) {
    const uint32_t at = kCode + 0x100 * n;
    const Loop loop(random);
    g->words(at, loop.encode(at));
    Machine m;
    for (uint32_t i = 1; i <= 8; i++) m.r[i] = random() % 2 ? static_cast<uint32_t>(random()) : random() % 4;
    m.r[0] = 1 + random() % 5;
    m.r[9] = kData;
    const uint32_t flags = static_cast<uint32_t>(random()) & 0xf0000000;
    m.n = flags >> 31, m.z = flags >> 30 & 1, m.c = flags >> 29 & 1, m.v = flags >> 28 & 1;
    std::copy(m.r, m.r + 10, g->cpu.r);
    write_nzcv(g->cpu, flags);
    const uint64_t before = g->cpu.instructions;
    loop.run(m, data);
    g->run(at);
    ASSERT_EQ(g->stopped_at(), Exception::None);
    for (int i = 0; i < 10; i++) ASSERT_EQ(g->cpu.r[i], m.r[i]) << "r" << i << ", loop " << n;
    ASSERT_EQ(read_nzcv(g->cpu), m.nzcv()) << "loop " << n;
    ASSERT_EQ(g->cpu.instructions - before, m.instructions) << "loop " << n;
  }
}

}  // namespace
}  // namespace crosswalk::test
