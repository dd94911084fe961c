// SPDX-License-Identifier: GPL-2.0-or-later
// What is known of a block's code, in one piece of memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

#include "translator/ir/ir.h"
#include "translator/x64/host_registers.h"
#include "translator/x64/relocations.h"

namespace crosswalk::x64 {

struct BlockTables {
  std::span<FaultSite> sites;  // by offset
  std::span<LinkSite> links;
  std::span<Relocation> relocations;
  std::span<ir::GuestInst> guest;  // one per guest instruction: what fault sites refer to

  BlockTables() = default;
  // Copies of these.
  BlockTables(std::span<const FaultSite> s, std::span<const LinkSite> l, std::span<const Relocation> r,
              std::span<const ir::GuestInst> g)
      : memory_(new std::byte[s.size_bytes() + l.size_bytes() + r.size_bytes() + g.size_bytes()]) {
    std::byte* at = memory_.get();
    sites = copy(s, at);
    links = copy(l, at);
    relocations = copy(r, at);
    guest = copy(g, at);
  }
  size_t bytes() const {
    return sites.size_bytes() + links.size_bytes() + relocations.size_bytes() + guest.size_bytes();
  }

 private:
  template <class T>
  static std::span<T> copy(std::span<const T> from, std::byte*& at) {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) == 4);
    if (!from.empty()) std::memcpy(at, from.data(), from.size_bytes());
    const std::span<T> to(reinterpret_cast<T*>(at), from.size());
    at += from.size_bytes();
    return to;
  }

  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace crosswalk::x64
