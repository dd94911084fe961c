// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/ir/ir.h"

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

Inst& Builder::add(Opcode op, uint32_t imm) {
  Inst& inst = block.insts.emplace_back();
  inst.op = op;
  inst.guest = guest;
  inst.imm = imm;
  return inst;
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
