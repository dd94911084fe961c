// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps guest SIMD registers in values: a read takes what an earlier instruction wrote or read, and
// the store to CpuState stays. Going through memory would cost a store-to-load forwarding each
// time, and a stall where two D registers are read as a Q.
#include <algorithm>

#include "translator/ir/ir.h"

namespace crosswalk::ir {
namespace {

// Bounds how many values stay live for this: well below the registers and spill slots of the
// backend.
constexpr size_t kMaxKnown = 8;

struct Known {
  Type type;       // X32, X64 or X128
  uint32_t first;  // byte offset in the register file
  Value value;
};

uint32_t bytes_of(Type type) { return type == Type::X32 ? 4 : type == Type::X64 ? 8 : 16; }

class Registers {
 public:
  void forget_all() { known_.clear(); }

  void set(Type type, uint32_t number, Value value) {
    const uint32_t first = number * bytes_of(type), end = first + bytes_of(type);
    std::erase_if(known_, [&](const Known& k) { return k.first < end && first < k.first + bytes_of(k.type); });
    add(type, first, value);
  }

  // Beside what is known of overlapping registers, which stays true.
  void add(Type type, uint32_t first, Value value) {
    if (known_.size() == kMaxKnown) known_.erase(known_.begin());
    known_.push_back({type, first, value});
  }

  Value find(Type type, uint32_t first) const {
    for (const Known& k : known_)
      if (k.type == type && k.first == first) return k.value;
    return {};
  }

 private:
  std::vector<Known> known_;  // oldest first
};

}  // namespace

void forward_vectors(Block& block) {
  auto& replacement = block.replacement;
  replacement.assign(block.insts.size(), {});
  Registers registers;
  for (size_t i = 0; i < block.insts.size(); i++) {
    Inst& inst = block.insts[i];
    for (Value& v : inst.args)
      if (v.is_inst() && !replacement[v.index()].is_none()) v = replacement[v.index()];
    const OpcodeInfo& op = info(inst.op);
    switch (inst.op) {
      case Opcode::SetS: registers.set(Type::X32, inst.imm, inst.args[0]); break;
      case Opcode::SetD: registers.set(Type::X64, inst.imm, inst.args[0]); break;
      case Opcode::SetQ: registers.set(Type::X128, inst.imm, inst.args[0]); break;
      case Opcode::GetS:
      case Opcode::GetD:
      case Opcode::GetQ: {
        const uint32_t first = inst.imm * bytes_of(op.result);
        if (const Value v = registers.find(op.result, first); !v.is_none()) {
          replacement[i] = v;
          // Unused now, and in the way of what looks for reads of SIMD registers.
          inst.op = Opcode::LoadState8;
          inst.imm = 0;
          break;
        }
        if (inst.op == Opcode::GetD) {
          if (const Value q = registers.find(Type::X128, first & ~15u); !q.is_none()) {
            inst.op = first & 8 ? Opcode::VecHigh : Opcode::VecLow;
            inst.imm = 0;
            inst.args[0] = q;
          }
        } else if (inst.op == Opcode::GetQ) {
          const Value low = registers.find(Type::X64, first), high = registers.find(Type::X64, first + 8);
          if (!low.is_none() && !high.is_none()) {
            inst.op = Opcode::VecPair;
            inst.imm = 0;
            inst.args[0] = low;
            inst.args[1] = high;
          }
        }
        registers.add(op.result, first, Value::inst(static_cast<uint32_t>(i)));
        break;
      }
      default:
        // Paths that join: as forward_registers. A call may change them, and values across calls
        // cost spills.
        if (op.attributes & (J | C)) registers.forget_all();
        break;
    }
  }
}

}  // namespace crosswalk::ir
