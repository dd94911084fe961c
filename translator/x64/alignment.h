// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of the low bits of addresses, so that translated code does not check an alignment
// again that an access before it has checked, or that follows from how the address was computed.
#pragma once

#include <cstdint>

#include "translator/ir/ir.h"
#include "translator/x64/arena.h"

namespace crosswalk::x64 {

// Of one block, while it is emitted in order.
class KnownAlignment {
 public:
  KnownAlignment(const ir::Block& block, Arena& arena) : block_(block), checked_(arena, 0) {}
  // Whether va + displacement is known to be a multiple of mask + 1, a power of two. If not, the
  // caller checks it, and from here on it is known.
  bool check(ir::Value va, int32_t displacement, uint32_t mask);
  void forget() { checked_.clear(); }  // another path joins

 private:
  // The low bits of a value are those of root + offset; without a root, of offset.
  struct LowBits {
    ir::Value root;
    uint32_t offset = 0;
  };
  LowBits low_bits(ir::Value v, uint32_t mask, int depth) const;
  bool is_multiple(ir::Value v, uint32_t mask, int depth) const;

  struct Checked {
    ir::Value root;
    uint32_t mask, offset;  // root + offset is a multiple of mask + 1
  };
  const ir::Block& block_;
  ArenaVector<Checked> checked_;
};

}  // namespace crosswalk::x64
