// SPDX-License-Identifier: GPL-2.0-or-later
// The verifier rejects each kind of broken block, and says why.
#include <gtest/gtest.h>

#include "translator/ir/ir.h"

namespace crosswalk::test {
namespace {

using ir::Builder;
using ir::Opcode;
using ir::Value;

struct VerifyTest : ::testing::Test {
  ir::Block block;
  Builder b{block};
  void expect(const char* what) {
    const std::string error = ir::verify(block);
    EXPECT_NE(error.find(what), std::string::npos) << "says: " << error << "\n" << ir::print(block);
  }
};

TEST_F(VerifyTest, AcceptsAGoodBlock) {
  const Value x = b.GetReg(0);
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.SetReg(1, b.Add(x, Builder::Imm(1)));
  b.Label(label);
  b.SetReg(2, x);
  b.Jump(0x8000);
  EXPECT_EQ(ir::verify(block), "");
}
TEST_F(VerifyTest, EmptyBlock) { expect("does not end"); }
TEST_F(VerifyTest, NoControlAtTheEnd) {
  b.SetReg(0, b.GetReg(1));
  expect("does not end");
}
TEST_F(VerifyTest, ConditionalJumpAtTheEnd) {
  b.jump_if(0, 0x8000);
  expect("does not end");
}
TEST_F(VerifyTest, UnknownOpcode) {
  b.Jump(0);
  block.insts[0].op = Opcode::Count;
  expect("no such opcode");
}
TEST_F(VerifyTest, MissingArgument) {
  b.SetReg(0, Value());
  b.Jump(0);
  expect("missing argument");
}
TEST_F(VerifyTest, TooManyArguments) {
  b.SetReg(0, Builder::Imm(1));
  block.insts[0].args[1] = Builder::Imm(2);
  b.Jump(0);
  expect("too many arguments");
}
TEST_F(VerifyTest, UseBeforeDefinition) {
  b.SetReg(0, Value::inst(1));
  b.GetReg(1);
  b.Jump(0);
  expect("use before definition");
}
TEST_F(VerifyTest, UseOfItself) {
  b.Not(Value::inst(0));
  b.Jump(0);
  expect("use before definition");
}
TEST_F(VerifyTest, WrongType) {
  const Value wide = b.Uxt64(Builder::Imm(1));
  b.SetReg(0, wide);
  b.Jump(0);
  expect("wrong type");
}
TEST_F(VerifyTest, UseOfNoValue) {
  b.SetReg(0, Builder::Imm(1));
  b.SetReg(1, Value::inst(0));
  b.Jump(0);
  expect("wrong type");
}
TEST_F(VerifyTest, ConstantForASimdArgument) {
  b.SetQ(0, Builder::Imm(1));
  b.Jump(0);
  expect("constant for a SIMD argument");
}
TEST_F(VerifyTest, WideConstant) {
  b.SetReg(0, Builder::Imm64(uint64_t{1} << 32));
  b.Jump(0);
  expect("wider than 32 bits");
}
TEST_F(VerifyTest, UseAfterTheSkippedDefinition) {
  const uint32_t label = b.new_label();
  b.skip_if_zero(b.GetReg(0), label);
  const Value x = b.GetReg(1);
  b.Label(label);
  b.SetReg(2, x);
  b.Jump(0);
  expect("skip over the definition");
}
TEST_F(VerifyTest, SkipToNoLabel) {
  b.skip_unless(0, b.new_label());
  b.Jump(0);
  expect("never placed");
}
TEST_F(VerifyTest, SkipToAnUnknownLabel) {
  b.skip_unless(0, 7);
  b.Jump(0);
  expect("skips to no later label");
}
TEST_F(VerifyTest, SkipBackwards) {
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.Label(label);
  b.skip_unless(0, label);
  b.Jump(0);
  expect("skips to no later label");
}
TEST_F(VerifyTest, LabelTwice) {
  const uint32_t label = b.new_label();
  b.skip_unless(0, label);
  b.Label(label);
  b.Label(label);
  b.Jump(0);
  expect("placed twice");
}
TEST_F(VerifyTest, LabelThatNothingSkipsTo) {
  b.Label(b.new_label());
  b.Jump(0);
  expect("nothing skips to");
}
TEST_F(VerifyTest, GuestInstructionOutOfRange) {
  block.guest.push_back({0x8000, 0, 0, 4});
  b.guest = 1;
  b.Jump(0);
  expect("no such guest instruction");
}

}  // namespace
}  // namespace crosswalk::test
