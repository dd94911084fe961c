// SPDX-License-Identifier: GPL-2.0-or-later
// Where translated code leaves a block: jumps to other blocks, direct ones as links that the engine
// patches, and exits to the run loop. Targets are guest VAs with bit 0 = T.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "translator/ir/ir.h"
#include "translator/x64/arena.h"
#include "translator/x64/guest_flags.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/labels.h"
#include "translator/x64/position.h"

namespace crosswalk::x64 {

class EmitContext;

class Exits {
 public:
  // `first_link` is the number that the block's first link will have.
  Exits(EmitContext& e, const uint8_t* block_start, uint32_t first_link, Arena& arena)
      : e_(e), start_(block_start), first_link_(first_link), links_(arena, 0, 4) {}

  // To the run loop, with the position set to `target`.
  void leave(uint32_t reason, uint32_t target);
  // To another block, or this one; polls when it goes back.
  void jump(uint32_t target);
  // The same where the page of this instruction's VA may have changed, too.
  void jump_anew(uint32_t target, bool polls);
  // precondition: the target is ahead, in the same page
  void jump_if(Condition condition, uint32_t target);
  // To the block itself, polling. Where anything else is gone to, NZCV are stored first.
  void loop(const Comparison& flags);
  // `guess`: to the block that it went to first without the jump cache, where it is that again.
  void jump_indirect(ir::Value target, bool guess);
  // eax = the target.
  void load_target(uint32_t target);
  // To a translation of the current guest instruction that shares no lookups (kExitApart).
  void jump_apart();
  bool same_page(uint32_t target) const;  // as the block's first instruction

  // Jumps of the block to itself come here, rather than to its start, where MXCSR is the same.
  void set_own_entry();
  // What MXCSR has to be at a jump to `target`.
  Rounding mxcsr_for(uint32_t target) const;

  std::span<const LinkSite> links() const { return {links_.begin(), links_.size()}; }

 private:
  // precondition: the target is in the same page. `flags`: as loop()
  void poll_and_jump(uint32_t target, std::optional<Comparison> flags = {});
  void poll(uint32_t target);
  void jump_compared(uint32_t target);
  void jump_guessed();  // eax = the target
  // `site` says what is known before the jump that was just emitted. Of a guess, eax is the target.
  void add_link(LinkSite site, Label stub, bool apart = false, std::optional<Comparison> flags = {});
  LinkSite link_to(uint32_t target, uint32_t id_offset = 0) const;

  EmitContext& e_;
  const uint8_t* const start_;
  const uint32_t first_link_;
  uint32_t own_entry_ = 0;
  Rounding own_mxcsr_ = Rounding::Vfp;
  uint32_t here() const;  // bytes from the block's start
  // The field of 4 bytes that was just emitted.
  uint32_t field() const { return here() - 4; }
  ArenaVector<LinkSite> links_;
};

}  // namespace crosswalk::x64
