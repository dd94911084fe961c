// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/ir/ir.h"

#include <algorithm>

namespace crosswalk::ir {
namespace {

template <class... T>
constexpr OpcodeInfo make_info(const char* name, Type result, uint32_t attributes, bool has_imm, T... args) {
  OpcodeInfo i{name, result, attributes, sizeof...(T), {}, has_imm};
  [[maybe_unused]] int n = 0;
  ((i.args[n++] = args), ...);
  return i;
}

constexpr OpcodeInfo build(Opcode op) {
  using enum Type;
  switch (op) {
#define OP(name, result, attributes, ...) \
  case Opcode::name:                      \
    return make_info(#name, result, attributes, false __VA_OPT__(, ) __VA_ARGS__);
#define OPI(name, result, attributes, ...) \
  case Opcode::name:                       \
    return make_info(#name, result, attributes, true __VA_OPT__(, ) __VA_ARGS__);
#include "translator/ir/all_opcodes.inc"
#undef OP
#undef OPI
    case Opcode::Count: break;
  }
  return {};
}

constexpr OpcodeTable build_table() {
  OpcodeTable table{};
  for (size_t i = 0; i < static_cast<size_t>(Opcode::Count); i++) table.rows[i] = build(static_cast<Opcode>(i));
  return table;
}

}  // namespace

constinit const OpcodeTable kOpcodes = build_table();

namespace {

inline Inst& append_to(std::vector<Inst>& insts, Opcode op, uint16_t guest, uint32_t imm) {
  static constinit const Inst kEmpty{};  // copied by moves, where GCC would clear by REP STOS
  insts.push_back(kEmpty);
  Inst& inst = insts.back();
  inst.op = op;
  inst.guest = guest;
  inst.imm = imm;
  return inst;
}

// Apart, so that Builder::add() keeps nothing across a call.
[[gnu::noinline]] Inst& append_to_full(std::vector<Inst>& insts, Opcode op, uint16_t guest, uint32_t imm) {
  constexpr size_t kLeast = 256;
  insts.reserve(std::max(kLeast, 2 * insts.size()));
  return append_to(insts, op, guest, imm);
}

}  // namespace

Inst& Builder::add(Opcode op, uint32_t imm) {
  auto& insts = block.insts;
  return insts.size() == insts.capacity() ? append_to_full(insts, op, guest, imm) : append_to(insts, op, guest, imm);
}

Value Builder::append(Opcode op, uint32_t imm, uint64_t aux, std::initializer_list<Value> args) {
  assert(args.size() == info(op).arg_count);
  Inst& inst = add(op, imm);
  inst.aux = aux;
  size_t n = 0;
  for (Value v : args) inst.args[n++] = v;
  return info(op).result == Type::Void ? Value() : Value::inst(static_cast<uint32_t>(block.insts.size() - 1));
}

}  // namespace crosswalk::ir
