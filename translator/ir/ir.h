// SPDX-License-Identifier: GPL-2.0-or-later
// The intermediate representation: one straight list of instructions per block, values in SSA form,
// guest registers accessed by GetReg/SetReg and friends. Forward skips (SkipUnless ... Label) are
// allowed: a value defined between a skip and its label must not be used after the label.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace crosswalk::ir {

// X types live in SIMD registers; I types in general registers. Bits of the host register above the
// width are zero for I32 and undefined for X32/X64.
enum class Type : uint8_t { Void, I32, I64, X32, X64, X128 };

// The attributes of opcodes.inc. Flags are named as in Inst::flags_live, shifted.
inline constexpr int kReadsShift = 10, kWritesShift = 14;
inline constexpr uint8_t kAllFlags = 15, kNzcv = 7;
// Of Inst::flags_live: EFLAGS behind the instruction are read, as its flags.
inline constexpr uint8_t kEflags = 16;
enum Attribute : uint32_t {
  None = 0,
  P = 1 << 0,  // pure
  D = 1 << 1,  // discardable
  F = 1 << 2,  // may fault in the guest
  M = 1 << 3,  // accesses guest memory
  A = 1 << 4,  // aux is a displacement
  C = 1 << 5,  // calls C++
  X = 1 << 6,  // may leave the block
  E = 1 << 7,  // always leaves it
  J = 1 << 8,  // paths part or join
  K = 1 << 9,  // keeps EFLAGS
  RNZ = 1 << kReadsShift,
  RC = 2 << kReadsShift,
  RV = 4 << kReadsShift,
  RGE = 8 << kReadsShift,
  R = RNZ | RC | RV,
  WNZ = 1 << kWritesShift,
  WC = 2 << kWritesShift,
  WV = 4 << kWritesShift,
  WGE = 8 << kWritesShift,
  W = WNZ | WC | WV,
};

enum class Opcode : uint16_t {
#define OP(name, ...) name,
#define OPI(name, ...) name,
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI
  Count
};

struct OpcodeInfo {
  const char* name;
  Type result;
  uint32_t attributes;
  uint8_t arg_count;
  Type args[4];
  bool has_imm;

  // As Inst::flags_live.
  constexpr uint8_t flags_read() const { return attributes >> kReadsShift & kAllFlags; }
  constexpr uint8_t flags_written() const { return attributes >> kWritesShift & kAllFlags; }
};
struct OpcodeTable {
  OpcodeInfo rows[static_cast<size_t>(Opcode::Count)];
};
extern const OpcodeTable kOpcodes;
inline const OpcodeInfo& info(Opcode op) { return kOpcodes.rows[static_cast<size_t>(op)]; }

// An operand: nothing, the result of an earlier instruction, or a constant.
class Value {
 public:
  constexpr Value() = default;
  static constexpr Value inst(uint32_t index) { return Value(1, index); }
  static constexpr Value imm(uint64_t v) { return Value(2, v); }

  constexpr bool is_none() const { return kind_ == 0; }
  constexpr bool is_inst() const { return kind_ == 1; }
  constexpr bool is_imm() const { return kind_ == 2; }
  constexpr uint32_t index() const {
    assert(is_inst());
    return static_cast<uint32_t>(payload_);
  }
  constexpr uint64_t imm64() const {
    assert(is_imm());
    return payload_;
  }
  constexpr uint32_t imm32() const { return static_cast<uint32_t>(imm64()); }
  constexpr bool operator==(const Value&) const = default;

 private:
  constexpr Value(uint8_t kind, uint64_t payload) : kind_(kind), payload_(payload) {}
  uint8_t kind_ = 0;
  uint64_t payload_ = 0;
};

// Describes one guest memory access; packed into Inst::imm.
struct MemAccess {
  uint8_t log2_bytes = 2;  // 0-4
  bool sign_extend = false;
  uint8_t align_log2 =
      0;  // alignment whose violation is an alignment fault; 0 = none. The frontend raises it where all is checked
  bool unprivileged = false;  // LDRT/STRT: as if at PL0
  // known to reach a device (or to wrap): never inline; set by the engine
  bool out_of_line = false;
  // 1 + log2 of an element's bytes; 0: a word, or the whole access if that is less
  uint8_t element = 0;
  // What Device and Strongly-ordered memory demand (ARM DDI 0406C, A3.2.1): each element is
  // aligned.
  constexpr uint32_t element_mask() const {
    const uint32_t log2 = element != 0 ? element - 1u : log2_bytes < 2 ? log2_bytes : 2u;
    return (1u << log2) - 1;
  }
  // Bits 10 and 11 are translator/x64/slow_access.h's.
  constexpr uint32_t pack() const {
    return log2_bytes | uint32_t{sign_extend} << 3 | uint32_t{align_log2} << 4 | uint32_t{unprivileged} << 8 |
           uint32_t{out_of_line} << 9 | uint32_t{element} << 12;
  }
  static constexpr MemAccess unpack(uint32_t v) {
    MemAccess m;
    m.log2_bytes = v & 7;
    m.sign_extend = v >> 3 & 1;
    m.align_log2 = v >> 4 & 15;
    m.unprivileged = v >> 8 & 1;
    m.out_of_line = v >> 9 & 1;
    m.element = v >> 12 & 7;
    return m;
  }
};

// The parallel additions and subtractions; packed into Inst::imm.
struct Parallel {
  enum Prefix : uint8_t { S, Q, SH, U, UQ, UH };
  enum Operation : uint8_t { ADD16, ASX, SAX, SUB16, ADD8, SUB8 };
  Prefix prefix = S;
  Operation operation = ADD16;
  constexpr bool is_signed() const { return prefix <= SH; }
  constexpr bool bytes() const { return operation >= ADD8; }
  constexpr uint32_t pack() const { return prefix | uint32_t{operation} << 4; }
  static constexpr Parallel unpack(uint32_t v) { return {static_cast<Prefix>(v & 15), static_cast<Operation>(v >> 4)}; }
};

// What VecShiftReg and VecQShiftReg do; the second number of Inst::imm.
struct VectorShift {
  bool is_unsigned = false;
  bool round = false;  // right shifts
  // the result's upper half is undefined (VecQShiftReg: the operands' is zero)
  bool low_only = false;
  constexpr uint32_t pack() const { return is_unsigned | round << 1 | low_only << 2; }
  static constexpr VectorShift unpack(uint32_t v) { return {(v & 1) != 0, (v & 2) != 0, (v & 4) != 0}; }
};

// HostSpan: what has to be so; packed into Inst::imm.
struct SpanCheck {
  uint16_t bytes = 0;      // at most kMaxSpan
  uint8_t align_log2 = 0;  // of the first byte
  bool store = false;      // it is stored to, perhaps beside loads
  constexpr uint32_t pack() const { return bytes | uint32_t{align_log2} << 16 | uint32_t{store} << 24; }
  static constexpr SpanCheck unpack(uint32_t v) {
    return {static_cast<uint16_t>(v), static_cast<uint8_t>(v >> 16), (v >> 24 & 1) != 0};
  }
};
// The wider, the more often a span lies in two pages.
inline constexpr uint32_t kMaxSpan = 1024;

// FpToFixed and FpFromFixed: the format of the integer side; packed into Inst::imm.
struct FixedPoint {
  uint8_t size = 32;          // bits of the integer, 16 or 32
  uint8_t fraction_bits = 0;  // 0 to size
  bool is_unsigned = false;
  // to the integer: towards zero; from it: to nearest. Else as FPSCR says
  bool fixed_rounding = false;
  constexpr uint32_t pack() const {
    return size | uint32_t{fraction_bits} << 8 | uint32_t{is_unsigned} << 16 | uint32_t{fixed_rounding} << 17;
  }
  static constexpr FixedPoint unpack(uint32_t v) {
    return {static_cast<uint8_t>(v), static_cast<uint8_t>(v >> 8), (v >> 16 & 1) != 0, (v >> 17 & 1) != 0};
  }
};

// JumpIfCompare: the target is the block itself, which sets NZCV anew before anything can see them.
inline constexpr uint32_t kFlagsAreSetAgain = 1 << 4;
// JumpIfCompare: the first operand is the difference, of a SubS whose EFLAGS are still there.
inline constexpr uint32_t kOfDifference = 1 << 5;
// SkipUnless, SkipIfZero, SkipIfNotZero: the guest's own branch. What it skips is not executed;
// other skips are over instructions whose condition fails. Also aux of the Label that it leads to.
inline constexpr uint32_t kBranch = 1 << 4;

// JumpIndirect: it most likely goes to the same place each time, as returns and calls do.
inline constexpr uint32_t kOneTarget = 1;

enum CallFlags : uint32_t {
  kCallPlain = 0,
  kCallMayExit = 1 << 0,  // the function may set cpu->exit_reason, which leaves the block
  kCallNoFlags = 1 << 1,  // the function neither reads nor writes NZCV and GE
  // the function neither reads nor writes r[0..14] (registers need not be in CpuState)
  kCallNoRegs = 1 << 2,
  // Besides both: it needs no arguments and no position, does not exit, and does floating-point
  // arithmetic only with an MXCSR that it sets and restores.
  kCallLight = 1 << 3,
};

struct Inst {
  Opcode op = Opcode::Count;
  // W ops: which of N,Z (bit 0), C (bit 1), V (bit 2), GE (bit 3) anybody needs, and kEflags; set
  // by remove_dead
  uint8_t flags_live = kAllFlags;
  // What it reads of NZCV is certainly in EFLAGS, and perhaps nowhere else; set by use_eflags
  bool from_eflags = false;
  uint16_t guest = 0;  // index into Block::guest
  // It must not change EFLAGS, of an instruction that can do so; set by fuse_compares and
  // use_eflags
  bool keep_eflags = false;
  uint32_t imm = 0;
  uint32_t uses = 0;  // set by count_uses()
  uint64_t aux = 0;
  Value args[4];
};

// One guest instruction of the block.
struct GuestInst {
  uint32_t pc;    // VA
  uint32_t word;  // encoding; T32 has the first halfword in bits 31:16
  uint8_t it;     // PSR.IT when it starts
  uint8_t bytes;  // 2 or 4
};

struct Block {
  uint32_t pc = 0;  // VA of the first instruction
  bool thumb = false;
  // What the instructions rely on: GuestCpu::fp_mode is this when the block is entered. None of
  // them changes it but the last.
  std::optional<uint8_t> fp_mode{};
  // Guest memory is reached through a window: an access looks nothing up, and keeps EFLAGS but
  // where its alignment is checked or it is out of line.
  bool in_window = false;
  uint32_t end_pc = 0;  // VA after the last
  std::vector<GuestInst> guest;
  std::vector<Inst> insts;
  uint32_t label_count = 0;
  // For passes: by instruction, what its result is replaced by. Kept here because the memory is.
  std::vector<Value> replacement;
};

// Appends instructions; one method per opcode, e.g. ir.Add(a, b), ir.GetReg(3), ir.Load(mem.pack(),
// va).
class Builder {
 public:
  explicit Builder(Block& b) : block(b) {}

  static Value Imm(uint32_t v) { return Value::imm(v); }
  static Value Imm64(uint64_t v) { return Value::imm(v); }

#define OP(name, result, attributes, ...)                                           \
  template <class... V>                                                             \
  Value name(V... v) {                                                              \
    using enum Type;                                                                \
    static_assert(sizeof...(V) == std::initializer_list<Type>{__VA_ARGS__}.size()); \
    return append<result>(Opcode::name, 0, static_cast<Value>(v)...);               \
  }
#define OPI(name, result, attributes, ...)                                          \
  template <class... V>                                                             \
  Value name(uint32_t imm, V... v) {                                                \
    using enum Type;                                                                \
    static_assert(sizeof...(V) == std::initializer_list<Type>{__VA_ARGS__}.size()); \
    return append<result>(Opcode::name, imm, static_cast<Value>(v)...);             \
  }
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI

  template <class F>
  Value call(F* f, uint32_t flags, Value a = Value::imm(0), Value b = Value::imm(0), Value c = Value::imm(0)) {
    return append(Opcode::Call, flags, reinterpret_cast<uint64_t>(f), {a, b, c});
  }
  template <class F>
  Value call64(F* f, uint32_t flags, Value a = Value::imm(0), Value b = Value::imm(0), Value c = Value::imm(0)) {
    return append(Opcode::Call64, flags, reinterpret_cast<uint64_t>(f), {a, b, c});
  }
  template <class F>
  Value call_pure(F* f, Value a, Value b = Value::imm(0), Value c = Value::imm(0)) {
    return append(Opcode::CallPure, 0, reinterpret_cast<uint64_t>(f), {a, b, c});
  }
  template <class F>
  Value call_pure64(F* f, Value a, Value b = Value::imm(0), Value c = Value::imm(0)) {
    return append(Opcode::CallPure64, 0, reinterpret_cast<uint64_t>(f), {a, b, c});
  }

  uint32_t new_label() { return block.label_count++; }
  void skip_unless(uint32_t cond, uint32_t label) { append(Opcode::SkipUnless, cond, label, {}); }
  void skip_if_zero(Value v, uint32_t label) { append(Opcode::SkipIfZero, 0, label, {v}); }
  void jump_if(uint32_t cond, uint32_t target) { append(Opcode::JumpIf, cond, target, {}); }

  Value append(Opcode op, uint32_t imm, uint64_t aux, std::initializer_list<Value> args);

  Block& block;
  uint16_t guest = 0;  // stamped on each new instruction

 private:
  template <Type kResult, class... V>
  Value append(Opcode op, uint32_t imm, V... v) {
    [[maybe_unused]] Value* arg = add(op, imm).args;
    ((*arg++ = v), ...);
    return kResult == Type::Void ? Value() : Value::inst(static_cast<uint32_t>(block.insts.size() - 1));
  }
  Inst& add(Opcode op, uint32_t imm);  // without arguments
};

// Checks types, argument counts, definition before use, the skip/label rule and that the block ends
// with a control instruction that leaves. Returns an empty string, or what is wrong and where.
std::string verify(const Block& block);
std::string print(const Block& block);

inline bool skips(Opcode op) {
  return op == Opcode::SkipUnless || op == Opcode::SkipIfZero || op == Opcode::SkipIfNotZero;
}

// How far from its VA an access may be by its displacement: well inside the guards around a window.
inline constexpr int32_t kMaxDisplacement = 16 << 10;

// ---- passes: free functions, each complete on its own ---------------------------------------
struct Pass {
  const char* name;
  void (*run)(Block& block);
  // Only for code that looks a software TLB up in line, and not for what HostSpan leaves a block
  // for.
  bool shares_lookups = false;
  // Only for code that uses x86 flags directly.
  bool fuses_flags = false;
};
// What is done to each block between translation and emission, in this order. After each pass the
// block verifies; after the last its uses are counted.
std::span<const Pass> passes();

void count_uses(Block& block);
// In a block that jumps to its own start, branches to what is ahead in it become skips. The first,
// where nothing has moved.
void skip_branches(Block& block);
// Before the others, which then see fewer paths that join: a skip to a branch that is certainly
// taken becomes that branch; one to a branch that is not goes on behind it.
void thread_skips(Block& block);
// In one walk from the front:
// - GetReg after GetReg/SetReg of the same register becomes the known value; so does GetGe; and so
//   do GetS, GetD and GetQ, also between a Q register and its halves
// - constant folding and algebraic identities
// - Add of Lsl by 1 to 3 becomes AddShifted
// - Load/Store of Add(x, constant) becomes Load/Store of x with a displacement within ±`limit`
void forward(Block& block, int32_t limit = kMaxDisplacement);
// Accesses close to each other become HostLoad and HostStore behind one HostSpan, where nothing
// between could make its answer wrong.
void share_lookups(Block& block);
// A comparison or subtraction and the jump that it decides become JumpIfCompare, where that goes
// ahead, or back to the start of a block that sets NZCV before they are seen: so the flags are
// stored only where they are. A comparison goes down to the skip that it decides.
void fuse_compares(Block& block);
// Marks what takes NZCV from EFLAGS (Inst::from_eflags), and what keeps them there for it
// (Inst::keep_eflags). The last before remove_dead, which then need not have them stored for those.
// Ends with share_conditions(), where that may find something.
void use_eflags(Block& block);
// Conditions that several instructions test, and not from EFLAGS, become values.
void share_conditions(Block& block);
// Makes every memory access of one guest instruction out of line.
void set_out_of_line(Block& block, uint16_t guest);
// In one walk from the back: sets Inst::flags_live (fault sites, calls that see flags, and exits
// need all flags), deletes writes of registers that nothing can see and instructions that are pure
// or discardable and unused, and counts uses.
void remove_dead(Block& block);

}  // namespace crosswalk::ir
