// SPDX-License-Identifier: GPL-2.0-or-later
// Windows with page tables in common. The kernel's entries are the same in all its address spaces; each of them would
// pay a fault for each of the pages that the kernel uses.
//
// What is shared is the VAs of TTBR1, if it is in use: its tables are one. Otherwise it is the last GiB, as long as the
// descriptors of the first level for it are equal: then all that is below is one. That is compared when a space begins
// to share, and again
//   - after each flush in it that covers such VAs: before that, the guest has to reckon with what was there before;
//   - when it becomes current, if an invalid descriptor has become valid since in another space (which needs no flush);
//   - for the descriptor that a new entry comes from.
// A space that differs leaves. nG plays no part: of equal tables, equal entries come, and non-global ones go with the
// flushes of any ASID.
#include <algorithm>
#include <cstring>

#include "mmu-shadow/guest_mmu.h"

namespace crosswalk::mmu {

// Precondition: the space has a window, and nothing installed in what it may share. It may share already.
void GuestMmu::share_window(AddressSpace& space) {
  space.changes_applied = 0;  // what it shares from now on may have missed some
  if (space.shared || !config_.share_tables || !backend_->can_share() || !space.key.privileged) return;
  const CommonPart part = common_part(space.key);
  if (part.from == kWindowSize || (part.roots_bytes != 0 && !ram_.contains(part.roots_pa, part.roots_bytes))) return;
  RegimeKey key = space.key;
  key.ttbr0 = 0;
  key.asid = 0;
  space.roots = part.roots_bytes != 0 ? ram_.at(part.roots_pa) : nullptr;
  const SharedWindow* differs = nullptr;  // most of the spaces share one: it is compared once
  for (auto& s : spaces_) {
    if (!s->shared || s->shared.get() == differs || s->shared->key != key) continue;
    if (std::equal(s->shared->roots.begin(), s->shared->roots.end(), space.roots)) {
      space.shared = s->shared;
      break;
    }
    differs = s->shared.get();
  }
  if (!space.shared) {
    auto common = backend_->create_window();
    if (!common) return;
    // Not make_shared: an aggregate, for which Clang 14 has braces only.
    space.shared.reset(new SharedWindow{key, std::vector<uint8_t>(space.roots, space.roots + part.roots_bytes),
                                        uint64_t{1}, protect_log_end_, flush_log_end_, Reuse{},
                                        WindowMap(std::move(common), ram_.base, leaves_)});
  }
  space.shared_from = part.from;
  space.roots_version = space.shared->version;
  Window& window = space.window->window();
  if (!window.share(static_cast<uint32_t>(part.from), space.shared->map.window())) return unshare_window(space);
  window.commit();
  statistics_.spaces_sharing++;
}

// The last one takes the shared entries with it.
void GuestMmu::unshare_window(AddressSpace& space) {
  if (!space.shared) return;
  Window& window = space.window->window();
  window.unshare();
  if (space.shared.use_count() == 1) space.shared->map.clear();
  space.shared = nullptr;
  window.commit();
  space.shared_from = kWindowSize;
}

// A space that differs shares with those that do not, if there are any.
void GuestMmu::check_roots(AddressSpace& space) {
  if (!space.shared) return;
  space.roots_version = space.shared->version;
  if (std::equal(space.shared->roots.begin(), space.shared->roots.end(), space.roots)) return;
  unshare_window(space);
  share_window(space);
  // Those may not have been current for long.
  if (missed_protection(space)) catch_up(space);
  remove_watched(space);
  statistics_.spaces_parted++;
}

bool GuestMmu::same_root(const AddressSpace& space, uint32_t va) const {
  const SharedWindow& shared = *space.shared;
  if (shared.roots.empty()) return true;
  const size_t at = shared.root_offset(va);
  return std::memcmp(shared.roots.data() + at, space.roots + at, 8) == 0;
}

// An entry for `va` is to be installed. If it comes from a descriptor that was invalid, nothing can be there that came
// from that: what this space has becomes what is shared. False if it must not be installed. The space then parts when
// it is current again; not now, since fault handlers may be outside of the VM, where the backend cannot do it.
bool GuestMmu::follow_root(AddressSpace& space, uint32_t va) {
  if (same_root(space, va)) return true;
  SharedWindow& shared = *space.shared;
  const size_t at = shared.root_offset(va);
  const auto invalid_or_same = [&](size_t i, size_t bytes, uint8_t valid_bits) {
    const size_t low = shared.key.sctlr & CW_SCTLR_EE ? i + bytes - 1 : i;
    return (shared.roots[low] & valid_bits) == 0 || std::memcmp(&shared.roots[i], space.roots + i, bytes) == 0;
  };
  const bool follows = cw_uses_long(shared.key.ttbcr) ? invalid_or_same(at, 8, 1)
                                                      : invalid_or_same(at, 4, 3) && invalid_or_same(at + 4, 4, 3);
  if (!follows) {
    space.roots_version = 0;
    return false;
  }
  std::memcpy(shared.roots.data() + at, space.roots + at, 8);
  space.roots_version = ++shared.version;
  return true;
}

}  // namespace crosswalk::mmu
