// SPDX-License-Identifier: GPL-2.0-or-later
#include "mmu-shadow/shared_windows.h"

#include <algorithm>
#include <cstring>

namespace crosswalk::mmu {

void SharedWindows::share(AddressSpace& space) {
  space.changes_applied = 0;  // what it shares from now on may have missed some
  if (space.shared || !enabled_ || !pool_.can_share() || !space.key.privileged) return;
  const CommonPart part = common_part(space.key);
  if (part.from == kWindowSize || (part.roots_bytes != 0 && !ram_.contains(part.roots_pa, part.roots_bytes))) return;
  const RegimeKey key = space.key.of_all_processes();
  space.roots = part.roots_bytes != 0 ? ram_.at(part.roots_pa) : nullptr;
  const SharedWindow* differs = nullptr;  // most of the spaces share one: it is compared once
  for (auto& s : spaces_.all()) {
    if (!s->shared || s->shared.get() == differs || s->shared->key != key) continue;
    if (std::equal(s->shared->roots.begin(), s->shared->roots.end(), space.roots)) {
      space.shared = s->shared;
      break;
    }
    differs = s->shared.get();
  }
  if (!space.shared) {
    auto common = pool_.create();
    if (!common) return;
    const Applied applied{.protections = code_.end(), .flushes = flushes_.end(), .watches = 0};
    // Not make_shared: an aggregate, for which Clang 14 has braces only.
    space.shared.reset(new SharedWindow{key, std::vector<uint8_t>(space.roots, space.roots + part.roots_bytes),
                                        uint64_t{1}, applied, Reuse{}, std::move(common)});
  }
  space.shared_from = part.from;
  space.roots_version = space.shared->version;
  Window& window = space.window->window();
  if (!window.share(static_cast<uint32_t>(part.from), space.shared->map->window())) return unshare(space);
  window.commit();
  statistics_.spaces_sharing++;
}

void SharedWindows::unshare(AddressSpace& space) {
  if (!space.shared) return;
  Window& window = space.window->window();
  window.unshare();
  if (space.shared.use_count() == 1) space.shared->map->clear();
  space.shared = nullptr;
  window.commit();
  space.shared_from = kWindowSize;
}

void SharedWindows::check(AddressSpace& space) {
  if (!space.shared) return;
  space.roots_version = space.shared->version;
  if (std::equal(space.shared->roots.begin(), space.shared->roots.end(), space.roots)) return;
  unshare(space);
  share(space);
  // Those may not have been current for long.
  if (space.missed(&Applied::protections, code_.end())) code_.catch_up(space);
  watch_.remove_from(space);
  statistics_.spaces_parted++;
}

bool SharedWindows::same_root(const AddressSpace& space, uint32_t va) const {
  const SharedWindow& shared = *space.shared;
  if (shared.roots.empty()) return true;
  const size_t at = shared.root_offset(va);
  return std::memcmp(shared.roots.data() + at, space.roots + at, 8) == 0;
}

bool SharedWindows::follow_root(AddressSpace& space, uint32_t va) {
  if (same_root(space, va)) return true;
  SharedWindow& shared = *space.shared;
  const size_t at = shared.root_offset(va);
  const bool follows = only_became_valid(shared.key, shared.roots.data(), space.roots, at);
  if (!follows) {
    space.roots_version = 0;
    return false;
  }
  std::memcpy(shared.roots.data() + at, space.roots + at, 8);
  space.roots_version = ++shared.version;
  return true;
}

}  // namespace crosswalk::mmu
