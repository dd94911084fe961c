// SPDX-License-Identifier: GPL-2.0-or-later
// Turns one IR block into x86 code: the register allocator behind EmitContext, and the bookkeeping (fault sites, links,
// flags, out-of-line code) that the core emitters share.
#pragma once

#include <deque>
#include <list>
#include <optional>
#include <vector>

#include "translator/x64/alignment.h"
#include "translator/x64/emit_context.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/piece_cache.h"
#include "translator/x64/thunks.h"

namespace crosswalk::x64 {

struct BackendConfig {
  MemoryMode memory = MemoryMode::Window;
  uint32_t soft_tlb_entries = 1024;  // power of two
  const Thunks* thunks = nullptr;
  PieceCache* pieces = nullptr;  // of this configuration; null: everything is encoded anew
  bool chain = true;             // go on to other blocks without leaving for the run loop
  bool flag_fusion = true;       // use x86 flags directly between producer and consumer
  bool count = false;            // CpuState::instructions and ::blocks count what is executed
};

// What the engine needs to know of emitted code.
struct CompiledBlock {
  const uint8_t* code = nullptr;
  uint32_t size = 0;
  std::vector<FaultSite> sites;  // sorted by offset
  std::vector<LinkSite> links;
};

// A page other than the block's first that its last instruction extends into: checked at entry.
struct SecondPage {
  uint32_t va = 0;
  uint32_t id = 0;  // 0: none
};

// Where the guest flags are in EFLAGS after a producer.
enum class EflagsForm : uint8_t { None, Add, Sub, Logic };

class BlockEmitter final : public EmitContext {
 public:
  BlockEmitter(Xbyak::CodeGenerator& code, const ir::Block& block, const BackendConfig& config);
  // Precondition: uses are counted. Throws Xbyak::Error when the buffer is full.
  CompiledBlock emit(const SecondPage& second_page, uint32_t first_link = 0);

  // ---- EmitContext
  Reg64 use(ir::Value v) override;
  const Xbyak::Operand& use_rm(ir::Value v, int bits) override;
  Reg64 use_copy(ir::Value v) override;
  Reg64 define() override { return define_result(false); }
  Reg64 define_from(ir::Value v) override;
  void define_as(Reg64 r) override;
  Reg64 temp() override;
  Reg64 take(Reg64 which) override;
  Xmm xuse(ir::Value v) override;
  Xmm xuse_copy(ir::Value v) override;
  Xmm xdefine() override;
  Xmm xdefine_from(ir::Value v) override;
  void xdefine_as(Xmm x) override;
  Xmm xtemp() override;
  Xbyak::Address constant128(uint64_t low, uint64_t high) override;
  void call_preserving(const void* f, std::initializer_list<Xbyak::Operand> args, Reg64 result) override;
  void need_mxcsr(Rounding which) override;

  // ---- for the core emitters
  // The result's register may coincide with operand registers: for single instructions that read before they write.
  Reg64 define_overlapping() { return define_result(true); }
  // The pinned register of the SetReg that follows if it can be written now, else `r` becomes the result.
  Reg64 define_hinted_or(Reg64 r);
  // True when define_from(v) would avoid a copy (v is in the register the result should end in).
  bool result_prefers(ir::Value v) const;
  // Gives an operand register or temporary back before the instruction ends.
  void release(Reg64 r) { locked_ &= ~(1u << r.getIdx()); }
  // As PieceCache::emit.
  template <class F>
  void emit_piece(uint32_t key, F emit) {
    if (config.pieces)
      config.pieces->emit(code, key, emit);
    else
      emit();
  }

  void get_reg(uint32_t n);  // defines the current result as guest register n
  void set_reg(uint32_t n, ir::Value v);
  void get_vreg(ir::Type type, uint32_t offset);
  void set_vreg(uint32_t offset, uint32_t bytes, ir::Value v);
  void spill_across_call(bool guest_registers_change);
  void spill_for_merge();

  void flags_produced(EflagsForm form) {
    eflags_ = form;
    flags_set_ = true;
  }
  void keep_flags() { flags_set_ = true; }
  EflagsForm eflags() const { return config.flag_fusion ? eflags_ : EflagsForm::None; }
  void materialise(uint8_t live, Reg64 result);  // stores NZ (from result), C, V out of EFLAGS of form eflags()
  // Jumps to `target` when the Arm condition holds (or, with `invert`, when it does not).
  void condition_jump(uint32_t condition, Label target, bool invert);
  // The x86 condition that tests an Arm condition on EFLAGS as they are now; none when no single one does.
  std::optional<Condition> x86_condition(uint32_t condition) const;

  // The host instruction at `at` accesses [r14 + va + displacement].
  void record_site(const uint8_t* at, uint32_t bytes, bool write, Reg64 va, int32_t displacement);
  void record_call_site() { record_site(code.getCurr(), 0, false, Xbyak::util::rax, 0); }
  void store_guest_position();                       // cpu.r[15], t, it of the current instruction, for C++
  void exit_with(uint32_t reason, uint32_t target);  // inline: sets position to target and leaves
  void chained_jump(uint32_t target);
  void chained_jcc(Condition condition, uint32_t target);  // precondition: the target is ahead, in the same page
  bool same_page(uint32_t target) const { return (block.pc ^ target) >> 12 == 0; }
  void indirect_jump(ir::Value target);
  void poll(uint32_t target);

  KnownAlignment& known_alignment() { return known_alignment_; }

  const ir::GuestInst& guest() const { return block.guest[current_->guest]; }
  Label label(uint32_t n) const { return block_labels_[n]; }

  // Out-of-line code is emitted after the block: Reposition makes an earlier instruction current again.
  struct Position {
    const ir::Inst* inst;
    uint32_t index;
    Rounding rounding;
  };
  Position position() const { return {current_, current_index_, rounding_}; }
  class Reposition {
   public:
    Reposition(BlockEmitter& b, const Position& p) : b_(b), saved_(b.position()) { b_.set_position(p); }
    ~Reposition() { b_.set_position(saved_); }

   private:
    BlockEmitter& b_;
    Position saved_;
  };

  const ir::Block& block;
  const BackendConfig& config;

 private:
  enum class Where : uint8_t { Nowhere, Pinned, State, Gpr, Spill, X, XSpill, XState };
  struct Location {
    Where where = Where::Nowhere;
    uint8_t index = 0;    // host register, guest register or spill slot
    bool sticky = false;  // the spill slot stays valid: set across merges
    uint16_t offset = 0;  // XState: offset in CpuState
  };
  static constexpr int kFree = -1;

  void set_position(const Position& p) { current_ = p.inst, current_index_ = p.index, rounding_ = p.rounding; }
  void emit_instruction(uint32_t index);
  uint32_t count_from(uint32_t index);
  void finish_instruction(const ir::Inst& inst);
  uint32_t remaining_after(ir::Value v) const;  // uses left once the current instruction is done
  int allocate_gpr();
  int allocate_x();
  int allocate_spill();
  int allocate_vspill();
  void evict_gpr(int reg);
  void evict_x(int reg);
  void own(int reg, uint32_t value);
  void xown(int reg, uint32_t value);
  void load_into(Reg64 r, ir::Value v);
  void xload_into(Xmm x, ir::Value v);
  Reg64 define_result(bool overlapping);
  void add_link(uint32_t id_offset, uint32_t target, Label stub);
  int hinted_register(bool overlapping, ir::Value except) const;
  void displace_pinned(uint32_t guest_reg, ir::Value except);
  void find_hints();

  using Values = std::pmr::vector<uint32_t>;
  std::pmr::vector<Location> locations_{memory()};
  Values remaining_{memory()};
  std::pmr::vector<int8_t> hints_{memory()};
  std::pmr::vector<Values> aliases_{15, memory()};  // values located in a pinned register or in CpuState.r
  Values xstates_{memory()};                        // values located in CpuState.vreg
  KnownAlignment known_alignment_;
  int gpr_owner_[16];
  int x_owner_[16];
  uint32_t locked_ = 0, xlocked_ = 0;
  uint64_t spill_used_ = 0, vspill_used_ = 0;
  const ir::Inst* current_ = nullptr;
  uint32_t current_index_ = 0;
  EflagsForm eflags_ = EflagsForm::None;
  bool flags_set_ = false;
  Rounding rounding_ = Rounding::Vfp;
  std::pmr::vector<Label> block_labels_{memory()};  // of ir::Block
  struct Constant {
    Xbyak::Label label;
    uint64_t low, high;
  };
  std::pmr::list<Constant> constants_{memory()};
  std::pmr::deque<Xbyak::Address> operands_{memory()};  // of the current instruction
  std::pmr::deque<Xbyak::Reg> operand_regs_{memory()};
  CompiledBlock result_;
  const uint8_t* start_ = nullptr;
  uint32_t first_link_ = 0;
};

// The emitters of the core table get the whole allocator.
inline BlockEmitter& core(EmitContext& e) { return static_cast<BlockEmitter&>(e); }

}  // namespace crosswalk::x64
